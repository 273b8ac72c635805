"""asyncpg: asks the server for every parameter's type and prepares every statement.

A parameter for a sealed column it takes as str only, so a value that is none is
written as `$1::date` with the column's plain type.
"""
import asyncio

import asyncpg

from sql_steps import add_sql_steps
from steps import PATIENTS, run_steps, step

loop = asyncio.new_event_loop()
app = loop.run_until_complete(asyncpg.connect())

# Where a statement writes a sealed column that is no text, the parameter needs its plain type.
CASTS = {'VALUES ($1, $2, $3, $4, $5, $6, $7)': 'VALUES ($1, $2, $3, $4::date, $5::timestamptz, $6::numeric, $7)',
         'SET born = $1, dose = $2': 'SET born = $1::date, dose = $2::numeric'}


def with_casts(sql):
    for plain, cast in CASTS.items():
        sql = sql.replace(plain, cast)
    return sql


def rows(sql, params):
    return [tuple(row) for row in loop.run_until_complete(app.fetch(with_casts(sql), *params))]


def many(sql, params):
    loop.run_until_complete(app.executemany(with_casts(sql), params))


async def state_as_intern(sql):
    intern = await asyncpg.connect(user='client_intern', password='intern')
    try:
        await intern.fetch(sql)
    except asyncpg.PostgresError as error:
        return error.sqlstate
    finally:
        await intern.close()
    return None


add_sql_steps(rows, many, lambda n: f'${n}', lambda sql: loop.run_until_complete(state_as_intern(sql)))


@step('type', 'a prepared statement describes the column with its name, and the parameter too; the value is a str')
def look():
    statement = loop.run_until_complete(app.prepare('SELECT nir FROM patient WHERE nir = $1'))
    return {'attribute': statement.get_attributes()[0].type.name, 'parameter': statement.get_parameters()[0].name}


@step('insert', 'a date as str, where the parameter has no cast, after a DELETE')
def insert_text():
    patient = PATIENTS[0]
    rows('DELETE FROM patient WHERE id = 1', ())
    rows('INSERT INTO patient VALUES ($1, $2, $3, $4, $5, $6, $7 )', (patient['id'], *map(str, list(patient.values())[1:])))
    return rows('SELECT * FROM patient_revealed WHERE id = 1', ())[0]


run_steps(f'asyncpg {asyncpg.__version__}')
