"""asyncpg: asks the server for every parameter's type, and encodes for that.

A parameter of a sealed type it takes as str only; `$1::date` gives it back its
native type.
"""
import asyncio
import io
import json

import asyncpg

from sample import NAMES, ROW, TABLE, equal, finish, ok, state_of

MAGIC = b'\xffseal1\r\n'
# What a value's parameter is cast to, so that asyncpg sends it as what it is.
PLAIN = {'nir': 'text', 'name': 'text', 'born': 'date', 'token': 'uuid', 'alive': 'bool', 'visits': 'int8',
         'weight': 'float8', 'dose': 'numeric', 'seen': 'timestamptz', 'scan': 'bytea'}


def as_text(value):
    """What a str parameter holds for the server's input function."""
    return '\\x' + value.hex() if isinstance(value, bytes) else str(value)


async def column(app, sql, *params):
    return [row[0] for row in await app.fetch(sql, *params)]


async def error_of(connection, sql, *params):
    try:
        await connection.fetch(sql, *params)
    except asyncpg.PostgresError as error:
        return state_of(error)
    return None


async def test_write(app):
    await app.execute(TABLE)
    marks = ', '.join(f'${n}' for n in range(2, len(ROW) + 2))
    casts = ', '.join(f'${n}::{PLAIN[name]}' for n, name in enumerate(ROW, start=2))
    insert = f'INSERT INTO patient (id, {", ".join(ROW)}) VALUES ($1, '
    await app.execute(f'{insert}{marks})', 1, *map(as_text, ROW.values()))
    await app.execute(f'{insert}{casts})', 2, *dict(ROW, nir='second').values())
    for name, value in ROW.items():
        expected = [value, 'second' if name == 'nir' else value]
        equal(await column(app, f'SELECT seal.reveal({name}) FROM patient ORDER BY id'), expected,
              f'insert as text and as {PLAIN[name]}, and reveal: {name}')

    await app.execute('UPDATE patient SET record = $1 WHERE id = 1', json.dumps({'hiv': ['positive', None]}))
    equal(json.loads(await app.fetchval('SELECT seal.reveal(record) FROM patient WHERE id = 1')),
          {'hiv': ['positive', None]}, 'update: json')
    await app.execute('UPDATE patient SET dose = $1, seen = $2 WHERE id = 1', None, None)
    equal(await app.fetchval('SELECT dose IS NULL AND seen IS NULL FROM patient WHERE id = 1'), True, 'update: None')

    await app.executemany('INSERT INTO patient (id, nir) VALUES ($1, $2)', [(3, 'third'), (4, 'fourth')])
    equal(await column(app, 'SELECT seal.reveal(nir) FROM patient WHERE id IN (3, 4) ORDER BY id'), ['third', 'fourth'],
          'executemany')

    row = await app.fetchrow('INSERT INTO patient (id, nir, name) VALUES ($1, $2, $3) '
                             'ON CONFLICT (nir) DO UPDATE SET name = excluded.name RETURNING id, seal.reveal(name)',
                             99, 'third', 'upserted')
    equal(tuple(row), (3, 'upserted'), 'upsert')


async def test_search(app):
    equal(await column(app, 'SELECT id FROM patient WHERE nir = $1', 'third'), [3], 'search: str')
    equal(await column(app, 'SELECT id FROM patient WHERE born = $1 ORDER BY id', '1984-12-03'), [1, 2], 'search: date as str')
    equal(await column(app, 'SELECT id FROM patient WHERE born = $1::date ORDER BY id', ROW['born']), [1, 2],
          'search: date')
    equal(await column(app, 'SELECT id FROM patient WHERE token = $1::uuid ORDER BY id', ROW['token']), [1, 2],
          'search: uuid')
    for cast in ('', '::text[]'):
        equal(await column(app, f'SELECT id FROM patient WHERE nir = ANY($1{cast}) ORDER BY id', ['third', 'fourth', 'nobody']),
              [3, 4], f'search: = ANY($1{cast}) of a list')
    equal(await column(app, 'SELECT id FROM patient WHERE nir IN ($1, $2) ORDER BY id', 'third', 'fourth'), [3, 4],
          'search: IN')
    equal(await error_of(app, 'SELECT id FROM patient WHERE visits = $1', '7'), '0A000',
          'search: 0A000 when not searchable')
    await app.execute('SET enable_seqscan = off')
    ok('Index Scan using patient_nir_key' in
       '\n'.join(await column(app, 'EXPLAIN SELECT id FROM patient WHERE nir = $1', 'third')), 'search uses the index')


async def test_envelopes(app):
    envelope = await app.fetchval('SELECT nir FROM patient WHERE id = 3')
    ok(isinstance(envelope, str) and envelope.startswith('seal1:'), 'a sealed column reads as an envelope')
    await app.execute('UPDATE patient SET nir = $1 WHERE id = 3', envelope)
    equal(await app.fetchval('SELECT nir FROM patient WHERE id = 3'), envelope, 'and can be written back')

    insert = await app.prepare('INSERT INTO patient (id, name) VALUES ($1, $2)')
    for number in (10, 11, 12):
        await insert.fetch(number, 'three times')
    equal(len(set(await column(app, 'SELECT name FROM patient WHERE id BETWEEN 10 AND 12'))), 3,
          'prepared, executed three times: three ciphertexts')
    find = await app.prepare('SELECT id FROM patient WHERE nir = $1')
    equal([await find.fetchval('third') for _ in range(7)], [3] * 7,
          'a prepared search goes on finding after its plan became generic')


async def test_names(app):
    await app.executemany('INSERT INTO patient (id, nir, name) VALUES ($1, $2, $2)',
                          [(1000 + n, name) for n, name in enumerate(NAMES)])
    equal(await column(app, 'SELECT seal.reveal(name) FROM patient WHERE id >= 1000 ORDER BY id'), NAMES,
          f'{len(NAMES)} names of all scripts are written and read')
    equal(await column(app, 'SELECT id FROM patient WHERE nir = ANY($1) ORDER BY id', NAMES),
          list(range(1000, 1000 + len(NAMES))), 'and found')


async def test_copy(app):
    await app.copy_to_table('patient', source=io.BytesIO('20\tcopié\n'.encode()), columns=['id', 'nir'])
    equal(await app.fetchval('SELECT seal.reveal(nir) FROM patient WHERE id = 20'), 'copié', 'COPY in: plain values are sealed')
    for form in ('text', 'binary'):
        before = await column(app, 'SELECT to_jsonb(patient)::text FROM patient ORDER BY id')
        rows = io.BytesIO()
        await app.copy_from_table('patient', output=rows, format=form)
        ok('copié'.encode() not in rows.getvalue() and (form == 'text' or MAGIC in rows.getvalue()),
           f'COPY out: no plain value ({form})')
        rows.seek(0)
        await app.execute('TRUNCATE patient')
        await app.copy_to_table('patient', source=rows, format=form)
        equal(await column(app, 'SELECT to_jsonb(patient)::text FROM patient ORDER BY id'), before,
              f'COPY in of what COPY out gave: the same envelopes ({form})')


async def test_without_right():
    intern = await asyncpg.connect(user='client_intern', password='intern')
    equal(await error_of(intern, 'SELECT seal.reveal(nir) FROM patient'), '42501', 'without a right: reveal')
    equal(await error_of(intern, 'INSERT INTO patient (id, nir) VALUES ($1, $2)', 30, 'x'), '42501',
          'without a right: insert')
    equal(await error_of(intern, 'SELECT id FROM patient WHERE nir = $1', 'third'), '42501', 'without a right: search')
    await intern.close()


async def main():
    app = await asyncpg.connect()
    await test_write(app)
    await test_search(app)
    await test_envelopes(app)
    await test_names(app)
    await test_copy(app)
    await test_without_right()
    await app.close()


asyncio.run(main())
finish()
