"""Django: a field class of a few lines for sealed columns; one model for the table, one, unmanaged, for the view."""
import contextlib
import io
import os

import django
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection, connections, models

from steps import (BORN, DOSE, NAMES, NATIVE, NEW_YEAR_1990, NEW_YEAR_1991, NIR, PATIENTS, UPSERTED, VIEW, VIEW_ROW, run_steps,
                   step)


def database(user, password):
    return {'ENGINE': 'django.db.backends.postgresql', 'NAME': os.environ['PGDATABASE'], 'USER': user, 'PASSWORD': password,
            'HOST': os.environ['PGHOST'], 'PORT': os.environ['PGPORT']}


settings.configure(DATABASES={'default': database('client_app', 'app'), 'intern': database('client_intern', 'intern')},
                   USE_TZ=True, TIME_ZONE='Europe/Paris', DEFAULT_AUTO_FIELD='django.db.models.AutoField')
django.setup()


class SealedField(models.Field):
    """A sealed column: plain values in, the envelope out."""

    def __init__(self, kind, key, **options):
        self.kind = kind
        self.key = key
        super().__init__(**options)

    def db_type(self, connection):
        return f'sealed_{self.kind}({self.key})'

    def deconstruct(self):
        name, path, _, options = super().deconstruct()
        return name, path, [self.kind, self.key], options


class Patient(models.Model):
    id = models.IntegerField(primary_key=True)
    nir = SealedField('text', 'nir', unique=True, null=True)
    name = SealedField('text', 'identity', null=True)
    born = SealedField('date', 'identity', null=True)
    seen = SealedField('timestamptz', 'clinical', null=True)
    dose = SealedField('numeric', 'clinical', null=True)
    note = SealedField('text', 'clinical', null=True)

    class Meta:
        app_label = 'clients'
        db_table = 'patient'


class Revealed(models.Model):
    id = models.IntegerField(primary_key=True)
    nir = models.TextField()
    name = models.TextField(null=True)
    born = models.DateField(null=True)
    seen = models.DateTimeField(null=True)
    dose = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    note = models.TextField(null=True)

    class Meta:
        app_label = 'clients'
        db_table = 'patient_revealed'
        managed = False


def ids(query):
    return list(query.values_list('id', flat=True))


def state_of(sql):
    try:
        with connections['intern'].cursor() as cursor:
            cursor.execute(sql)
    except DatabaseError as error:
        return error.__cause__.pgcode
    return None


@step('create', 'a model with a field class of its own, as a migration makes it')
def create():
    with connection.schema_editor() as editor:
        editor.create_model(Patient)
    with connection.cursor() as cursor:
        for statement in VIEW:
            cursor.execute(statement)
    return ids(Revealed.objects)


@step('type', 'inspectdb')
def look():
    models_of_table = io.StringIO()
    with contextlib.redirect_stderr(io.StringIO()):
        call_command('inspectdb', 'patient', stdout=models_of_table)
    return [' '.join(line.split()) for line in models_of_table.getvalue().splitlines() if line.startswith('    nir = ')]


@step('insert', 'bulk_create()')
def insert():
    Patient.objects.bulk_create([Patient(**patient) for patient in PATIENTS])
    return Revealed.objects.filter(id=1).values_list()[0]


@step('null', 'create(), None')
def null():
    Patient.objects.create(id=5, nir='555')
    return Revealed.objects.filter(id=5).values_list('name', 'born', 'seen', 'dose', 'note')[0]


@step('update', 'filter().update()')
def update():
    Patient.objects.filter(id=2).update(born=BORN, dose=DOSE, note='négatif')
    return Revealed.objects.filter(id=2).values_list('born', 'dose', 'note')[0]


@step('update', 'get(), save() of the whole row: envelopes go back as they came')
def update_object():
    patient = Patient.objects.get(id=2)
    envelope = patient.name
    patient.note = 'négatif'
    patient.save()
    if Patient.objects.get(id=2).name != envelope:
        return 'name was sealed again'
    return Revealed.objects.filter(id=2).values_list('born', 'dose', 'note')[0]


@step('upsert', 'update_or_create() by nir')
def upsert():
    for number, nir, name in UPSERTED:
        Patient.objects.update_or_create(nir=nir, defaults={'name': name}) if number == 33 else \
            Patient.objects.update_or_create(nir=nir, defaults={'id': number, 'name': name})
    return list(Revealed.objects.filter(id__in=[3, 6]).order_by('id').values_list('id', 'name'))


@step('upsert', 'a cursor, ON CONFLICT (nir) DO UPDATE')
def upsert_sql():
    with connection.cursor() as cursor:
        cursor.executemany('INSERT INTO patient (id, nir, name) VALUES (%s, %s, %s) '
                           'ON CONFLICT (nir) DO UPDATE SET name = excluded.name', UPSERTED)
    return list(Revealed.objects.filter(id__in=[3, 6]).order_by('id').values_list('id', 'name'))


@step('equality', 'on the view')
def equality():
    return ids(Revealed.objects.filter(nir=NIR))


@step('equality', 'on the table')
def equality_on_table():
    return ids(Patient.objects.filter(nir=NIR))


@step('like', 'startswith')
def like():
    return ids(Revealed.objects.filter(name__startswith='N').order_by('id'))


@step('like', 'istartswith')
def ilike():
    return ids(Revealed.objects.filter(name__istartswith='n').order_by('id'))


@step('range', 'gte and lt')
def between():
    return ids(Revealed.objects.filter(born__gte=NEW_YEAR_1990, born__lt=NEW_YEAR_1991).order_by('id'))


@step('range', 'born__year')
def year():
    return ids(Revealed.objects.filter(born__year=1990).order_by('id'))


@step('page', 'a slice')
def page():
    return ids(Revealed.objects.order_by('name')[2:4])


@step('native', 'raw()')
def native():
    found = Revealed.objects.raw(NATIVE.format('%s', '%s'), [PATIENTS[1]['nir'], NEW_YEAR_1990])
    return [[patient.id, patient.name, patient.dose] for patient in found]


@step('names', 'bulk_create(), get()')
def names():
    Patient.objects.bulk_create([Patient(id=number, nir=str(number), name=name) for number, name in NAMES])
    return [Revealed.objects.get(name=name, id__gte=10).name for _, name in NAMES]


@step('refused', 'the pgcode of the cause of DatabaseError')
def refused():
    return [state_of('SELECT seal.reveal(nir) FROM patient WHERE id = 1'),
            state_of("INSERT INTO patient (id, nir) VALUES (99, 'x')")]


@step('view_insert', 'create() of the model of the view')
def view_insert():
    Revealed.objects.create(**VIEW_ROW)
    return Revealed.objects.filter(id=7).values_list('id', 'name', 'born', 'note')[0]


@step('view_update', 'filter().update() of the model of the view')
def view_update():
    Revealed.objects.filter(id=7).update(note='relu')
    return list(Revealed.objects.filter(id=7).values_list('note', flat=True))


run_steps(f'Django {django.get_version()} on psycopg2 {connection.Database.__version__.split()[0]}')
