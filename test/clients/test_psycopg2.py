"""psycopg2: values are put into the statement as literals, some of them typed."""
import io

import psycopg2
import psycopg2.extras

from sample import NAMES, ROW, TABLE, equal, finish, ok, state_of

psycopg2.extras.register_uuid()
app = psycopg2.connect('')
app.autocommit = True
cursor = app.cursor()


def one(sql, params=None):
    cursor.execute(sql, params)
    return cursor.fetchone()[0]


def column(sql, params=None):
    cursor.execute(sql, params)
    return [row[0] for row in cursor]


def error_of(connection, sql, params=None):
    try:
        connection.cursor().execute(sql, params)
    except psycopg2.Error as error:
        connection.rollback()
        return state_of(error)
    return None


def test_write():
    cursor.execute(TABLE)
    cursor.execute(f'INSERT INTO patient (id, {", ".join(ROW)}) VALUES (%s{", %s" * len(ROW)})', [1, *ROW.values()])
    for name, value in ROW.items():
        got = one(f'SELECT seal.reveal({name}) FROM patient WHERE id = 1')
        equal(bytes(got) if name == 'scan' else got, value, f'insert and reveal: {name}')

    cursor.execute('UPDATE patient SET record = %s WHERE id = 1', [psycopg2.extras.Json({'hiv': ['positive', None]})])
    equal(one('SELECT seal.reveal(record) FROM patient'), {'hiv': ['positive', None]}, 'update: json')
    cursor.execute('UPDATE patient SET dose = %s, seen = %s WHERE id = 1', [None, None])
    equal(one('SELECT dose IS NULL AND seen IS NULL FROM patient'), True, 'update: None')

    cursor.executemany('INSERT INTO patient (id, nir) VALUES (%s, %s)', [(2, 'second'), (3, 'third')])
    psycopg2.extras.execute_values(cursor, 'INSERT INTO patient (id, nir, born) VALUES %s',
                                   [(4, 'fourth', ROW['born']), (5, 'fifth', None)])
    equal(column('SELECT seal.reveal(nir) FROM patient WHERE id BETWEEN 2 AND 5 ORDER BY id'),
          ['second', 'third', 'fourth', 'fifth'], 'executemany and execute_values')

    cursor.execute('INSERT INTO patient (id, nir, name) VALUES (%s, %s, %s) '
                   'ON CONFLICT (nir) DO UPDATE SET name = excluded.name RETURNING id', (99, 'second', 'upserted'))
    equal((cursor.fetchone()[0], one('SELECT seal.reveal(name) FROM patient WHERE id = 2')), (2, 'upserted'), 'upsert')


def test_search():
    equal(column('SELECT id FROM patient WHERE nir = %s', ['third']), [3], 'search: str')
    equal(column('SELECT id FROM patient WHERE born = %s ORDER BY id', [ROW['born']]), [1, 4], 'search: date')
    equal(column('SELECT id FROM patient WHERE token = %s', [ROW['token']]), [1], 'search: uuid')
    equal(column('SELECT id FROM patient WHERE nir = ANY(%s) ORDER BY id', [['second', 'third', 'nobody']]), [2, 3],
          'search: = ANY of a list')
    equal(column('SELECT id FROM patient WHERE nir IN %s ORDER BY id', [('second', 'third', 'nobody')]), [2, 3],
          'search: IN of a tuple')
    equal(error_of(app, 'SELECT id FROM patient WHERE visits = %s', [7]), '0A000', 'search: 0A000 when not searchable')
    cursor.execute('SET enable_seqscan = off')
    ok('Index Scan using patient_nir_key' in
       '\n'.join(column('EXPLAIN SELECT id FROM patient WHERE nir = %s', ['third'])), 'search uses the index')


def test_envelopes():
    envelope = one('SELECT nir FROM patient WHERE id = 3')
    ok(isinstance(envelope, str) and envelope.startswith('seal1:'), 'a sealed column reads as an envelope')
    cursor.execute('UPDATE patient SET nir = %s WHERE id = 3', [envelope])
    equal(one('SELECT nir FROM patient WHERE id = 3'), envelope, 'and can be written back')

    cursor.execute('PREPARE insert_name AS INSERT INTO patient (id, name) VALUES ($1, $2)')
    for row in (10, 11, 12):
        cursor.execute('EXECUTE insert_name (%s, %s)', [row, 'three times'])
    equal(len(set(column("SELECT name FROM patient WHERE id BETWEEN 10 AND 12"))), 3,
          'prepared, executed three times: three ciphertexts')


def test_names():
    cursor.executemany('INSERT INTO patient (id, nir, name) VALUES (%s, %s, %s)',
                       [(1000 + n, name, name) for n, name in enumerate(NAMES)])
    equal(column('SELECT seal.reveal(name) FROM patient WHERE id >= 1000 ORDER BY id'), NAMES,
          f'{len(NAMES)} names of all scripts are written and read')
    equal(column('SELECT id FROM patient WHERE nir = ANY(%s) ORDER BY id', [NAMES]),
          list(range(1000, 1000 + len(NAMES))), 'and found')


def test_copy():
    cursor.copy_expert('COPY patient (id, nir) FROM STDIN (FORMAT csv)', io.StringIO('20,copied\n21,"Noël, Zoé"\n'))
    equal(column('SELECT seal.reveal(nir) FROM patient WHERE id IN (20, 21) ORDER BY id'), ['copied', 'Noël, Zoé'],
          'COPY in: plain values are sealed')
    for options in ('FORMAT csv', 'FORMAT binary'):
        before = column('SELECT to_jsonb(patient) FROM patient ORDER BY id')
        rows = io.BytesIO()
        cursor.copy_expert(f'COPY patient TO STDOUT ({options})', rows)
        ok(b'copied' not in rows.getvalue(), f'COPY out: no plain value ({options})')
        rows.seek(0)
        cursor.execute('TRUNCATE patient')
        cursor.copy_expert(f'COPY patient FROM STDIN ({options})', rows)
        equal(column('SELECT to_jsonb(patient) FROM patient ORDER BY id'), before,
              f'COPY in of what COPY out gave: the same envelopes ({options})')


def test_without_right():
    intern = psycopg2.connect('user=client_intern password=intern')
    equal(error_of(intern, 'SELECT seal.reveal(nir) FROM patient'), '42501', 'without a right: reveal')
    equal(error_of(intern, 'INSERT INTO patient (id, nir) VALUES (%s, %s)', [30, 'x']), '42501', 'without a right: insert')
    equal(error_of(intern, 'SELECT id FROM patient WHERE nir = %s', ['third']), '42501', 'without a right: search')


test_write()
test_search()
test_envelopes()
test_names()
test_copy()
test_without_right()
finish()
