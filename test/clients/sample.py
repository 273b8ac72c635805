"""What the Python drivers write and expect to read again, and their TAP."""
import datetime
import decimal
import os
import pathlib
import sys
import uuid

PARIS_WINTER = datetime.timezone(datetime.timedelta(hours=1))

# One value of every sealed type, as Python has it.
ROW = {
    'nir': '184127645108946',
    'name': 'Léger',
    'born': datetime.date(1984, 12, 3),
    'token': uuid.UUID('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'),
    'alive': True,
    'visits': 7,
    'weight': 71.5,
    'dose': decimal.Decimal('0.30'),
    'seen': datetime.datetime(2021, 2, 23, 10, 15, 30, tzinfo=PARIS_WINTER),
    'scan': b'\x00\xff\\',
}

# An empty name too: it is a value, NULL is none.
NAMES = [''] + pathlib.Path(os.environ['CLIENTS_NAMES']).read_text(encoding='utf-8').splitlines()
TABLE = pathlib.Path(__file__).with_name('patient.sql').read_text(encoding='utf-8')

_count = 0
_failed = 0


def ok(passed, name):
    global _count, _failed
    _count += 1
    _failed += not passed
    print('' if passed else 'not ', 'ok ', _count, ' - ', name, sep='')


def equal(got, expected, name):
    ok(got == expected, name)
    if got != expected:
        print('# got', ascii(got)[:500], 'expected', ascii(expected)[:500])


def state_of(error):
    """The SQLSTATE of any of the drivers' errors."""
    return getattr(error, 'sqlstate', None) or getattr(error, 'pgcode', None)


def finish():
    print(f'1..{_count}')
    sys.exit(_failed > 0)
