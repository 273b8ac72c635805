"""psycopg 3: parameters stay parameters, some typed, in text and in binary; results in binary too."""
import psycopg
from psycopg.types.json import Jsonb

from sample import NAMES, ROW, TABLE, equal, finish, ok, state_of

MAGIC = b'\xffseal1\r\n'
app = psycopg.connect('', autocommit=True)


def one(sql, params=None, **options):
    return app.execute(sql, params, **options).fetchone()[0]


def column(sql, params=None, **options):
    return [row[0] for row in app.execute(sql, params, **options)]


def error_of(connection, sql, params=None):
    try:
        with connection.transaction():
            connection.execute(sql, params)
    except psycopg.Error as error:
        return state_of(error)
    return None


# %s lets psycopg choose, %t is text, %b is binary with the type's OID.
def test_write():
    app.execute(TABLE)
    for number, mark in enumerate(('%s', '%t', '%b'), start=1):
        values = dict(ROW, nir=f'nir {mark}')
        app.execute(f'INSERT INTO patient (id, {", ".join(ROW)}) VALUES (%s{f", {mark}" * len(ROW)})',
                    [number, *values.values()])
        for name, value in values.items():
            equal(one(f'SELECT seal.reveal({name}) FROM patient WHERE id = %s', [number]), value,
                  f'insert by {mark} and reveal: {name}')

    app.execute('UPDATE patient SET record = %s WHERE id = 1', [Jsonb({'hiv': ['positive', None]})])
    equal(one('SELECT seal.reveal(record) FROM patient WHERE id = 1'), {'hiv': ['positive', None]}, 'update: json')
    app.execute('UPDATE patient SET dose = %s, seen = %s WHERE id = 1', [None, None])
    equal(one('SELECT dose IS NULL AND seen IS NULL FROM patient WHERE id = 1'), True, 'update: None')

    with app.cursor() as cursor:
        cursor.executemany('INSERT INTO patient (id, nir) VALUES (%s, %s)', [(4, 'fourth'), (5, 'fifth')])
    equal(column('SELECT seal.reveal(nir) FROM patient WHERE id IN (4, 5) ORDER BY id'), ['fourth', 'fifth'], 'executemany')

    row = app.execute('INSERT INTO patient (id, nir, name) VALUES (%s, %s, %s) '
                      'ON CONFLICT (nir) DO UPDATE SET name = excluded.name RETURNING id, seal.reveal(name)',
                      (99, 'fourth', 'upserted')).fetchone()
    equal(row, (4, 'upserted'), 'upsert')


def test_search():
    for mark in ('%s', '%t', '%b'):
        equal(column(f'SELECT id FROM patient WHERE nir = {mark}', ['fifth']), [5], f'search by {mark}: str')
        equal(column(f'SELECT id FROM patient WHERE born = {mark} ORDER BY id', [ROW['born']]), [1, 2, 3],
              f'search by {mark}: date')
        equal(column(f'SELECT id FROM patient WHERE token = {mark} ORDER BY id', [ROW['token']]), [1, 2, 3],
              f'search by {mark}: uuid')
        equal(column(f'SELECT id FROM patient WHERE nir = ANY({mark}) ORDER BY id', [['fourth', 'fifth', 'nobody']]), [4, 5],
              f'search by {mark}: = ANY of a list')
        equal(column(f'SELECT id FROM patient WHERE nir IN ({mark}, {mark}) ORDER BY id', ['fourth', 'fifth']), [4, 5],
              f'search by {mark}: IN')
    equal(error_of(app, 'SELECT id FROM patient WHERE visits = %s', [7]), '0A000', 'search: 0A000 when not searchable')
    app.execute('SET enable_seqscan = off')
    ok('Index Scan using patient_nir_key' in
       '\n'.join(column('EXPLAIN SELECT id FROM patient WHERE nir = %s', ['fifth'])), 'search uses the index')


def test_envelopes():
    text = one('SELECT nir FROM patient WHERE id = 5')
    binary = one('SELECT nir FROM patient WHERE id = 5', binary=True)
    ok(isinstance(text, str) and text.startswith('seal1:'), 'a sealed column reads as an envelope')
    ok(isinstance(binary, bytes) and binary.startswith(MAGIC), 'and in binary starts with the magic')
    equal(one('SELECT seal.reveal(nir) FROM patient WHERE id = 5', binary=True), 'fifth', 'reveal in a binary cursor')
    equal(one('SELECT seal.reveal(born) FROM patient WHERE id = 3', binary=True), ROW['born'], 'a date too')
    app.execute('UPDATE patient SET nir = %s WHERE id = 5', [text])
    equal(one('SELECT nir FROM patient WHERE id = 5'), text, 'an envelope can be written back')

    for number in (10, 11, 12):
        app.execute('INSERT INTO patient (id, name) VALUES (%s, %s)', [number, 'three times'], prepare=True)
    equal(len(set(column('SELECT name FROM patient WHERE id BETWEEN 10 AND 12'))), 3,
          'prepared, executed three times: three ciphertexts')
    equal([column('SELECT id FROM patient WHERE nir = %s', ['fifth'], prepare=True) for _ in range(7)], [[5]] * 7,
          'a prepared search goes on finding after its plan became generic')


def test_names():
    with app.cursor() as cursor:
        cursor.executemany('INSERT INTO patient (id, nir, name) VALUES (%s, %s, %s)',
                           [(1000 + n, name, name) for n, name in enumerate(NAMES)])
    for binary in (False, True):
        equal(column('SELECT seal.reveal(name) FROM patient WHERE id >= 1000 ORDER BY id', binary=binary), NAMES,
              f'{len(NAMES)} names of all scripts are written and read (binary {binary})')
    equal(column('SELECT id FROM patient WHERE nir = ANY(%s) ORDER BY id', [NAMES]),
          list(range(1000, 1000 + len(NAMES))), 'and found')


def test_copy():
    with app.cursor() as cursor:
        with cursor.copy('COPY patient (id, nir, born) FROM STDIN') as copy:
            copy.write_row((20, 'by text', ROW['born']))
        with cursor.copy('COPY patient (id, nir, born) FROM STDIN (FORMAT binary)') as copy:
            copy.set_types(['int4', 'text', 'date'])
            copy.write_row((21, 'by binary', ROW['born']))
        equal(cursor.execute('SELECT seal.reveal(nir), born::date FROM patient WHERE id IN (20, 21) ORDER BY id').fetchall(),
              [('by text', ROW['born']), ('by binary', ROW['born'])], 'COPY in: plain values are sealed')

        for options in ('FORMAT text', 'FORMAT binary'):
            before = column('SELECT to_jsonb(patient) FROM patient ORDER BY id')
            with cursor.copy(f'COPY patient TO STDOUT ({options})') as copy:
                rows = b''.join(copy)
            ok(b'by text' not in rows and b'by binary' not in rows, f'COPY out: no plain value ({options})')
            cursor.execute('TRUNCATE patient')
            with cursor.copy(f'COPY patient FROM STDIN ({options})') as copy:
                copy.write(rows)
            equal(column('SELECT to_jsonb(patient) FROM patient ORDER BY id'), before,
                  f'COPY in of what COPY out gave: the same envelopes ({options})')


def test_without_right():
    intern = psycopg.connect('user=client_intern password=intern', autocommit=True)
    equal(error_of(intern, 'SELECT seal.reveal(nir) FROM patient'), '42501', 'without a right: reveal')
    equal(error_of(intern, 'INSERT INTO patient (id, nir) VALUES (%s, %s)', [30, 'x']), '42501', 'without a right: insert')
    equal(error_of(intern, 'SELECT id FROM patient WHERE nir = %s', ['fifth']), '42501', 'without a right: search')


test_write()
test_search()
test_envelopes()
test_names()
test_copy()
test_without_right()
finish()
