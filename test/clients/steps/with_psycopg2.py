"""psycopg2: values are put into the statement as literals.

With CLIENTS_CONNECTIONS several connections take turns, statement by statement.
"""
import itertools
import os

import psycopg2
import psycopg2.extras

from sql_steps import UPSERT, add_sql_steps
from steps import UPSERTED, run_steps, step


def connect():
    connection = psycopg2.connect('')
    connection.autocommit = True
    return connection


app = itertools.cycle([connect() for _ in range(int(os.environ.get('CLIENTS_CONNECTIONS', '1')))])


def rows(sql, params):
    cursor = next(app).cursor()
    cursor.execute(sql, params)
    return cursor.fetchall() if cursor.description else []


def many(sql, params):
    next(app).cursor().executemany(sql, params)


def state_of(sql):
    intern = psycopg2.connect('user=client_intern password=intern')
    try:
        intern.cursor().execute(sql)
    except psycopg2.Error as error:
        return error.pgcode
    return None


add_sql_steps(rows, many, lambda _: '%s', state_of)


@step('type', 'cursor.description has a type code of its own, none that psycopg2 knows; the value is a str')
def look():
    cursor = next(app).cursor()
    cursor.execute('SELECT nir FROM patient LIMIT 1')
    code = cursor.description[0].type_code
    known = code in (psycopg2.STRING, psycopg2.NUMBER, psycopg2.DATETIME, psycopg2.BINARY)
    return {'known': known, 'regtype': rows('SELECT %s::regtype::text', [code])[0][0]}


@step('upsert', 'execute_values, ON CONFLICT (nir) DO UPDATE')
def upsert_values():
    psycopg2.extras.execute_values(next(app).cursor(), UPSERT.replace('(?, ?, ?)', '%s'), UPSERTED)
    return rows('SELECT id, name FROM patient_revealed WHERE id IN (3, 6) ORDER BY id', ())


run_steps(f'psycopg2 {psycopg2.__version__.split()[0]}')
