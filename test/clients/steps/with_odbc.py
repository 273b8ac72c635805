"""ODBC: psqlodbc under unixODBC, by pyodbc.

ODBC's timestamps have no zone: they are in the session's, which is the server's, UTC.
"""
import datetime
import os

import pyodbc

from sql_steps import add_sql_steps
from steps import run_steps, step


def connect(user, password):
    return pyodbc.connect(f'Driver={{PostgreSQL Unicode}};Server={os.environ["PGHOST"]};Port={os.environ["PGPORT"]};'
                          f'Database={os.environ["PGDATABASE"]};Uid={user};Pwd={password}', autocommit=True)


app = connect('client_app', 'app')


def with_zone(value):
    return value.replace(tzinfo=datetime.timezone.utc) if isinstance(value, datetime.datetime) else value


def rows(sql, params):
    cursor = app.execute(sql, *params)
    return [tuple(map(with_zone, row)) for row in cursor.fetchall()] if cursor.description else []


def many(sql, params):
    app.cursor().executemany(sql, params)


def state_of(sql):
    try:
        connect('client_intern', 'intern').execute(sql).fetchall()
    except pyodbc.Error as error:
        return error.args[0]
    return None


add_sql_steps(rows, many, lambda _: '?', state_of)


@step('type', 'SQLColumns and SQLDescribeCol')
def look():
    column = next(column for column in app.cursor().columns(table='patient') if column.column_name == 'nir')
    described = app.execute('SELECT nir FROM patient LIMIT 1').description[0]
    return {'type_name': column.type_name, 'data_type': column.data_type, 'Python type': described[1].__name__}


run_steps(f'psqlodbc {app.getinfo(pyodbc.SQL_DRIVER_VER)} by pyodbc {pyodbc.version}')
