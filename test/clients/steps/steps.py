"""What the Python clients share: the rows they write, and how they give their answers."""
import datetime
import decimal
import json
import os
import pathlib

_HERE = pathlib.Path(__file__).parent
_NATIVE = {'id': int, 'born': datetime.date.fromisoformat, 'dose': decimal.Decimal,
           'seen': lambda text: datetime.datetime.fromisoformat(text.replace('Z', '+00:00'))}


def _patients():
    heading, *lines = (line.split('\t') for line in (_HERE / 'patients.tsv').read_text(encoding='utf-8').splitlines())
    return [{key: _NATIVE.get(key, str)(value) for key, value in zip(heading, line)} for line in lines]


COLUMNS = ['id', 'nir', 'name', 'born', 'seen', 'dose', 'note']
PATIENTS = _patients()
NAMES = list(enumerate((_HERE.parent / 'names.txt').read_text(encoding='utf-8').splitlines(), start=10))
TABLE = (_HERE / 'table.sql').read_text(encoding='utf-8')
VIEW = [line for line in (_HERE / 'view.sql').read_text(encoding='utf-8').splitlines() if line]

# What the steps write; steps.tsv says where.
NIR = PATIENTS[0]['nir']
BORN = datetime.date(1990, 1, 16)
DOSE = decimal.Decimal('12.50')
NEW_YEAR_1990 = datetime.date(1990, 1, 1)
NEW_YEAR_1991 = datetime.date(1991, 1, 1)
UPSERTED = [(33, PATIENTS[2]['nir'], 'Noël'), (6, '666', 'Nadia')]
NATIVE = 'SELECT id, name, dose FROM patient_revealed WHERE nir = {} AND born > {}'
VIEW_ROW = {'id': 7, 'nir': '777', 'name': 'Vue', 'born': datetime.date(2001, 2, 3), 'note': 'à relire'}

_ORDER = [line.split('\t')[0] for line in (_HERE / 'steps.tsv').read_text(encoding='utf-8').splitlines()]
_steps = []


def step(name, how):
    """Makes the function the client's step NAME, or one more way to do it.  Steps run in the order of steps.tsv."""
    def add(function):
        _steps.append((name, how, function))
        return function
    return add


def _plain(value):
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')
    return str(value)


def _answer(function):
    try:
        return function()
    except Exception as error:          # whatever a driver raises is the answer, a wrong one
        return f'{type(error).__name__}: {error}'


def run_steps(client):
    print('client', os.environ.get('CLIENTS_THROUGH', '') + client, sep='\t')
    for name, how, function in sorted(_steps, key=lambda added: _ORDER.index(added[0])):
        answer = _answer(function)
        print(name, how, json.dumps(answer, default=_plain, ensure_ascii=False), sep='\t', flush=True)
