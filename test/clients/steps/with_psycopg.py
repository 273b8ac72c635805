"""psycopg 3: parameters stay parameters, in text and in binary; results in binary too."""
import psycopg

from sql_steps import INSERT, add_sql_steps
from steps import COLUMNS, NIR, PATIENTS, run_steps, step

app = psycopg.connect('', autocommit=True)


def rows(sql, params, **options):
    cursor = app.execute(sql, params, **options)
    return cursor.fetchall() if cursor.description else []


def many(sql, params):
    with app.cursor() as cursor:
        cursor.executemany(sql, params)


def state_of(sql):
    with psycopg.connect('user=client_intern password=intern') as intern:
        try:
            intern.execute(sql)
        except psycopg.Error as error:
            return error.sqlstate
    return None


add_sql_steps(rows, many, lambda _: '%s', state_of)


@step('type', 'cursor.description has an OID without a name; the value is a str, and bytes in a binary cursor')
def look():
    text, binary = (app.execute("SELECT seal.seal('x', 'nir')", binary=binary) for binary in (False, True))
    return {'known': psycopg.adapters.types.get(text.description[0].type_code) is not None, 'text': type(text.fetchone()[0]).__name__,
            'binary': type(binary.fetchone()[0]).__name__}


# %b sends in binary, with the type of the plain value.
@step('insert', 'executemany with %b, in binary, after a DELETE; read in binary')
def insert_binary():
    app.execute('DELETE FROM patient WHERE id <= 4')
    many(INSERT.replace('?', '%b').replace('%b', '%s', 1), [[patient[name] for name in COLUMNS] for patient in PATIENTS])
    return rows('SELECT * FROM patient_revealed WHERE id = 1', (), binary=True)[0]


@step('equality', '%b, and a statement prepared from its first execution on')
def equality_binary():
    return [row[0] for row in rows('SELECT id FROM patient_revealed WHERE nir = %b', [NIR], binary=True, prepare=True)]


run_steps(f'psycopg {psycopg.__version__}')
