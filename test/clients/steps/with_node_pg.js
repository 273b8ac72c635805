// node-postgres: parameters without a type, as text.
'use strict';
const { Client, Pool } = require('pg');
const {
  changes, columns, names, native, nativeParameters, patients, plain, runSteps, stateOf, step, table, upserted, version, view,
  viewRow,
} = require('./steps');

const app = new Client();
const intern = new Client({ user: 'client_intern', password: 'intern' });

const marks = columns.map((_, n) => `$${n + 1}`).join(', ');
const insertAll = `INSERT INTO patient (${columns.join(', ')}) VALUES (${marks})`;

const rows = async (text, values) => (await app.query(text, values)).rows.map(plain);
const ids = async (text, values) => (await app.query(text, values)).rows.map(({ id }) => id);

step('create', 'CREATE TABLE', async () => {
  for (const statement of [table, ...view]) {
    await app.query(statement);
  }
  return ids('SELECT id FROM patient_revealed');
});
step('type', 'result.fields has an OID that pg-types does not know; the value is a string', async () => {
  const { fields, rows: [{ nir }] } = await app.query("SELECT seal.seal('x', 'nir') AS nir");
  return { regtype: await rows('SELECT $1::oid::regtype::text', [fields[0].dataTypeID]), value: typeof nir };
});
step('insert', 'a named statement, executed for each row; seen as a Date', async () => {
  for (const patient of patients) {
    await app.query({ name: 'insert', text: insertAll, values: Object.values(patient) });
  }
  return (await rows('SELECT * FROM patient_revealed WHERE id = 1'))[0];
});
step('null', 'null and undefined', async () => {
  await app.query(insertAll, [5, '555', null, null, undefined, undefined, null]);
  return (await rows('SELECT name, born, seen, dose, note FROM patient_revealed WHERE id = 5'))[0];
});
step('update', 'born as a string', async () => {
  await app.query('UPDATE patient SET born = $1, dose = $2, note = $3 WHERE id = 2', Object.values(changes));
  return (await rows('SELECT born, dose, note FROM patient_revealed WHERE id = 2'))[0];
});
step('update', 'born as a Date at midnight, which pg sends with the time and the zone', async () => {
  await app.query('UPDATE patient SET born = $1 WHERE id = 2', [new Date(1990, 0, 16)]);
  return (await rows('SELECT born, dose, note FROM patient_revealed WHERE id = 2'))[0];
});
step('upsert', 'ON CONFLICT (nir) DO UPDATE', async () => {
  for (const row of upserted) {
    await app.query('INSERT INTO patient (id, nir, name) VALUES ($1, $2, $3) ON CONFLICT (nir) DO UPDATE SET name = excluded.name',
      Object.values(row));
  }
  return rows('SELECT id, name FROM patient_revealed WHERE id IN (3, 6) ORDER BY id');
});
step('equality', 'on the view', () => ids('SELECT id FROM patient_revealed WHERE nir = $1', [patients[0].nir]));
step('equality', 'on the table', () => ids('SELECT id FROM patient WHERE nir = $1', [patients[0].nir]));
step('like', 'LIKE', () => ids('SELECT id FROM patient_revealed WHERE name LIKE $1 ORDER BY id', ['N%']));
step('range', 'two strings', () => ids('SELECT id FROM patient_revealed WHERE born >= $1 AND born < $2 ORDER BY id',
  ['1990-01-01', '1991-01-01']));
step('page', 'ORDER BY, LIMIT, OFFSET', () => ids('SELECT id FROM patient_revealed ORDER BY name LIMIT $1 OFFSET $2', [2, 2]));
step('native', 'as all the others', () => rows(native, nativeParameters));
step('names', 'one by one, through a Pool', async () => {
  const pool = new Pool();
  await Promise.all(names.map((row) => pool.query('INSERT INTO patient (id, nir, name) VALUES ($1, $2, $3)', Object.values(row))));
  await pool.end();
  const found = [];
  for (const { name } of names) {
    found.push((await rows('SELECT name FROM patient_revealed WHERE name = $1 AND id >= 10', [name]))[0][0]);
  }
  return found;
});
step('refused', 'error.code', async () => {
  await intern.connect();
  return [await stateOf(intern.query('SELECT seal.reveal(nir) FROM patient WHERE id = $1', [1])),
    await stateOf(intern.query('INSERT INTO patient (id, nir) VALUES ($1, $2)', [99, 'x']))];
});
step('view_insert', 'INSERT', async () => {
  await app.query('INSERT INTO patient_revealed (id, nir, name, born, note) VALUES ($1, $2, $3, $4, $5)', Object.values(viewRow));
  return (await rows('SELECT id, name, born, note FROM patient_revealed WHERE id = 7'))[0];
});
step('view_update', 'UPDATE', async () => {
  await app.query('UPDATE patient_revealed SET note = $1 WHERE id = 7', ['relu']);
  return (await rows('SELECT note FROM patient_revealed WHERE id = 7'))[0];
});

async function main() {
  await app.connect();
  await runSteps(`node-postgres ${version('pg')}`);
  await intern.end();
  await app.end();
}

main();
