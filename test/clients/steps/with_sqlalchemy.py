"""SQLAlchemy: a user-defined type for sealed columns; one mapped class for the table, one for the view."""
import os
import warnings

import psycopg2
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as insert_on_conflict
from sqlalchemy.orm import Session, declarative_base

from steps import (BORN, DOSE, NAMES, NATIVE, NEW_YEAR_1990, NEW_YEAR_1991, NIR, PATIENTS, UPSERTED, VIEW, VIEW_ROW, run_steps,
                   step)


class Sealed(sa.types.UserDefinedType):
    """A sealed column: plain values in, the envelope out."""
    cache_ok = True

    def __init__(self, kind, key):
        self.kind = kind
        self.key = key

    def get_col_spec(self, **_):
        return f'sealed_{self.kind}({self.key})'


Base = declarative_base()


class Patient(Base):
    __tablename__ = 'patient'
    id = sa.Column(sa.Integer, primary_key=True)
    nir = sa.Column(Sealed('text', 'nir'), unique=True)
    name = sa.Column(Sealed('text', 'identity'))
    born = sa.Column(Sealed('date', 'identity'))
    seen = sa.Column(Sealed('timestamptz', 'clinical'))
    dose = sa.Column(Sealed('numeric', 'clinical'))
    note = sa.Column(Sealed('text', 'clinical'))


class Revealed(declarative_base()):
    __tablename__ = 'patient_revealed'
    id = sa.Column(sa.Integer, primary_key=True)
    nir = sa.Column(sa.String)
    name = sa.Column(sa.String)
    born = sa.Column(sa.Date)
    seen = sa.Column(sa.DateTime(timezone=True))
    dose = sa.Column(sa.Numeric)
    note = sa.Column(sa.String)


def connect(user, password):
    return sa.create_engine(sa.engine.URL.create('postgresql+psycopg2', user, password, database=os.environ['PGDATABASE'],
                                                 query={'host': os.environ['PGHOST'], 'port': os.environ['PGPORT']}))


engine = connect('client_app', 'app')


def rows(statement):
    with Session(engine) as session:
        return [tuple(row) for row in session.execute(statement)]


def column(statement):
    return [row[0] for row in rows(statement)]


def state_of(connection, statement):
    try:
        connection.execute(statement)
    except sa.exc.DBAPIError as error:
        return error.orig.pgcode
    return None


@step('create', 'MetaData.create_all(), the sealed columns of a UserDefinedType')
def create():
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        for statement in VIEW:
            connection.exec_driver_sql(statement)
    return column(sa.select(Revealed.id))


@step('type', 'reflection: NullType, with a warning')
def look():
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        reflected = sa.Table('patient', sa.MetaData(), autoload_with=engine).c.nir.type
    return {'type': type(reflected).__name__, 'warning': str(said[0].message)}


@step('insert', 'Session.add_all()')
def insert():
    with Session(engine) as session:
        session.add_all([Patient(**patient) for patient in PATIENTS])
        session.commit()
        return list(session.execute(sa.select(*Revealed.__table__.c).where(Revealed.id == 1)).one())


@step('null', 'None')
def null():
    with Session(engine) as session:
        session.add(Patient(id=5, nir='555'))
        session.commit()
        found = session.get(Revealed, 5)
        return [found.name, found.born, found.seen, found.dose, found.note]


@step('update', 'Session.get(), attributes set, commit')
def update():
    with Session(engine) as session:
        patient = session.get(Patient, 2)
        patient.born, patient.dose, patient.note = BORN, DOSE, 'négatif'
        session.commit()
        found = session.get(Revealed, 2)
        return [found.born, found.dose, found.note]


@step('upsert', 'insert().on_conflict_do_update()')
def upsert():
    insertion = insert_on_conflict(Patient).values([dict(zip(('id', 'nir', 'name'), row)) for row in UPSERTED])
    with Session(engine) as session:
        session.execute(insertion.on_conflict_do_update(index_elements=['nir'], set_={'name': insertion.excluded.name}))
        session.commit()
    return rows(sa.select(Revealed.id, Revealed.name).where(Revealed.id.in_([3, 6])).order_by(Revealed.id))


@step('equality', 'on the view')
def equality():
    return column(sa.select(Revealed.id).where(Revealed.nir == NIR))


@step('equality', 'on the table')
def equality_on_table():
    return column(sa.select(Patient.id).where(Patient.nir == NIR))


@step('like', 'startswith()')
def like():
    return column(sa.select(Revealed.id).where(Revealed.name.startswith('N')).order_by(Revealed.id))


@step('range', 'two dates')
def between():
    return column(sa.select(Revealed.id).where(Revealed.born >= NEW_YEAR_1990, Revealed.born < NEW_YEAR_1991)
                  .order_by(Revealed.id))


@step('page', 'order_by().limit().offset()')
def page():
    return column(sa.select(Revealed.id).order_by(Revealed.name).limit(2).offset(2))


@step('native', 'text() with bound parameters')
def native():
    with Session(engine) as session:
        return [tuple(row) for row in session.execute(sa.text(NATIVE.format(':nir', ':born')),
                                                      {'nir': PATIENTS[1]['nir'], 'born': NEW_YEAR_1990})]


@step('names', 'Session.add_all(), one query each')
def names():
    with Session(engine) as session:
        session.add_all([Patient(id=number, nir=str(number), name=name) for number, name in NAMES])
        session.commit()
    return [column(sa.select(Revealed.name).where(Revealed.name == name, Revealed.id >= 10))[0] for _, name in NAMES]


@step('refused', 'DBAPIError.orig.pgcode')
def refused():
    statements = [sa.select(sa.func.seal.reveal(Patient.nir)).where(Patient.id == 1), sa.insert(Patient).values(id=99, nir='x')]
    return [state_of(connect('client_intern', 'intern').connect(), statement) for statement in statements]


@step('view_insert', 'Session.add() of the class of the view')
def view_insert():
    with Session(engine) as session:
        session.add(Revealed(**VIEW_ROW))
        session.commit()
        found = session.get(Revealed, 7)
        return [found.id, found.name, found.born, found.note]


@step('view_update', 'an attribute of the class of the view')
def view_update():
    with Session(engine) as session:
        session.get(Revealed, 7).note = 'relu'
        session.commit()
        return [session.get(Revealed, 7).note]


run_steps(f'SQLAlchemy {sa.__version__} on psycopg2 {psycopg2.__version__.split()[0]}')
