"""The steps of a Python driver that takes SQL with parameters, written `?` here."""
from steps import (BORN, COLUMNS, DOSE, NAMES, NATIVE, NEW_YEAR_1990, NEW_YEAR_1991, NIR, PATIENTS, TABLE, UPSERTED,
                   VIEW, VIEW_ROW, step)

INSERT = f'INSERT INTO patient ({", ".join(COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?)'
UPSERT = 'INSERT INTO patient (id, nir, name) VALUES (?, ?, ?) ON CONFLICT (nir) DO UPDATE SET name = excluded.name'
REFUSED = ['SELECT seal.reveal(nir) FROM patient WHERE id = 1', "INSERT INTO patient (id, nir) VALUES (99, 'x')"]


def add_sql_steps(rows, many, mark, state_of):
    """rows(SQL, parameters): the rows, as tuples.  many(SQL, rows): executes it for each row.  mark(n): how the driver
    writes its nth parameter.  state_of(SQL): the SQLSTATE it gives client_intern."""

    def marked(sql):
        head, *tail = sql.split('?')
        return head + ''.join(mark(n) + part for n, part in enumerate(tail, start=1))

    def query(sql, *params):
        return rows(marked(sql), params)

    def column(sql, *params):
        return [row[0] for row in query(sql, *params)]

    @step('create', 'CREATE TABLE')
    def create():
        for statement in [TABLE, *VIEW]:
            rows(statement, ())
        return column('SELECT id FROM patient_revealed')

    @step('insert', 'many rows of native values at once')
    def insert():
        many(marked(INSERT), [tuple(patient[name] for name in COLUMNS) for patient in PATIENTS])
        return query('SELECT * FROM patient_revealed WHERE id = 1')[0]

    @step('null', 'None')
    def null():
        query(INSERT, 5, '555', None, None, None, None, None)
        return query('SELECT name, born, seen, dose, note FROM patient_revealed WHERE id = 5')[0]

    @step('update', 'a date, a Decimal and a str')
    def update():
        query('UPDATE patient SET born = ?, dose = ?, note = ? WHERE id = 2', BORN, DOSE, 'négatif')
        return query('SELECT born, dose, note FROM patient_revealed WHERE id = 2')[0]

    @step('upsert', 'ON CONFLICT (nir) DO UPDATE')
    def upsert():
        many(marked(UPSERT), UPSERTED)
        return query('SELECT id, name FROM patient_revealed WHERE id IN (3, 6) ORDER BY id')

    @step('equality', 'on the view')
    def equality():
        return column('SELECT id FROM patient_revealed WHERE nir = ?', NIR)

    @step('equality', 'on the table')
    def equality_on_table():
        return column('SELECT id FROM patient WHERE nir = ?', NIR)

    @step('equality', 'ten times over, where a client that prepares comes to a generic plan')
    def equality_again():
        found = [column('SELECT id FROM patient WHERE nir = ?', NIR) for _ in range(10)]
        return found[0] if found.count(found[0]) == 10 else found

    @step('like', 'LIKE')
    def like():
        return column('SELECT id FROM patient_revealed WHERE name LIKE ? ORDER BY id', 'N%')

    @step('range', 'two dates')
    def between():
        return column('SELECT id FROM patient_revealed WHERE born >= ? AND born < ? ORDER BY id', NEW_YEAR_1990, NEW_YEAR_1991)

    @step('page', 'ORDER BY, LIMIT, OFFSET')
    def page():
        return column('SELECT id FROM patient_revealed ORDER BY name LIMIT ? OFFSET ?', 2, 2)

    @step('native', 'as all the others')
    def native():
        return query(NATIVE.format('?', '?'), PATIENTS[1]['nir'], NEW_YEAR_1990)

    @step('names', 'a str')
    def names():
        many(marked('INSERT INTO patient (id, nir, name) VALUES (?, ?, ?)'),
             [(number, str(number), name) for number, name in NAMES])
        return [column('SELECT name FROM patient_revealed WHERE name = ? AND id >= 10', name)[0] for _, name in NAMES]

    @step('refused', "the error's SQLSTATE")
    def refused():
        return [state_of(sql) for sql in REFUSED]

    @step('view_insert', 'INSERT')
    def view_insert():
        query('INSERT INTO patient_revealed (id, nir, name, born, note) VALUES (?, ?, ?, ?, ?)', *VIEW_ROW.values())
        return query('SELECT id, name, born, note FROM patient_revealed WHERE id = 7')[0]

    @step('view_update', 'UPDATE')
    def view_update():
        query('UPDATE patient_revealed SET note = ? WHERE id = 7', 'relu')
        return query('SELECT note FROM patient_revealed WHERE id = 7')[0]
