// postgres.js: asks the server for each parameter's type; what it has no serializer for must be a string.
'use strict';
const postgres = require('postgres');
const {
  changes, names, native, nativeParameters, patients, plain, runSteps, stateOf, step, table, upserted, version, view, viewRow,
} = require('./steps');

const connect = (user, password) => postgres({
  host: process.env.PGHOST, port: Number(process.env.PGPORT), database: process.env.PGDATABASE, user, password, onnotice: () => {},
});
const app = connect('client_app', 'app');
const intern = connect('client_intern', 'intern');

const ids = async (query) => (await query).map(({ id }) => id);
const rows = async (query) => (await query).map(plain);

step('create', 'sql.unsafe() of CREATE TABLE', async () => {
  for (const statement of [table, ...view]) {
    await app.unsafe(statement);
  }
  return ids(app`SELECT id FROM patient_revealed`);
});
step('type', 'result.columns has an OID that postgres.js has no parser for; the value is a string', async () => {
  const result = await app`SELECT seal.seal('x', 'nir') AS nir`;
  return { regtype: (await app`SELECT ${result.columns[0].type}::oid::regtype::text AS regtype`)[0].regtype, value: typeof result[0].nir };
});
step('insert', 'sql(objects), seen as a Date', async () => {
  await app`INSERT INTO patient ${app(patients)}`;
  return (await rows(app`SELECT * FROM patient_revealed WHERE id = 1`))[0];
});
step('null', 'null', async () => {
  await app`INSERT INTO patient ${app({ id: 5, nir: '555', name: null, born: null, seen: null, dose: null, note: null })}`;
  return (await rows(app`SELECT name, born, seen, dose, note FROM patient_revealed WHERE id = 5`))[0];
});
step('update', 'sql(object), born as a string', async () => {
  await app`UPDATE patient SET ${app(changes)} WHERE id = 2`;
  return (await rows(app`SELECT born, dose, note FROM patient_revealed WHERE id = 2`))[0];
});
step('upsert', 'ON CONFLICT (nir) DO UPDATE', async () => {
  await app`INSERT INTO patient ${app(upserted)} ON CONFLICT (nir) DO UPDATE SET name = excluded.name`;
  return rows(app`SELECT id, name FROM patient_revealed WHERE id IN (3, 6) ORDER BY id`);
});
step('equality', 'on the view', () => ids(app`SELECT id FROM patient_revealed WHERE nir = ${patients[0].nir}`));
step('equality', 'on the table', () => ids(app`SELECT id FROM patient WHERE nir = ${patients[0].nir}`));
step('like', 'LIKE', () => ids(app`SELECT id FROM patient_revealed WHERE name LIKE ${'N%'} ORDER BY id`));
step('range', 'two strings', () => ids(app`
  SELECT id FROM patient_revealed WHERE born >= ${'1990-01-01'} AND born < ${'1991-01-01'} ORDER BY id`));
step('page', 'ORDER BY, LIMIT, OFFSET', () => ids(app`SELECT id FROM patient_revealed ORDER BY name LIMIT ${2} OFFSET ${2}`));
step('page', 'cursor(2), its second turn', async () => {
  const pages = [];
  for await (const page of app`SELECT id FROM patient_revealed ORDER BY name`.cursor(2)) {
    pages.push(page.map(({ id }) => id));
  }
  return pages[1];
});
step('native', 'sql.unsafe() with parameters', () => rows(app.unsafe(native, nativeParameters)));
step('names', 'sql(objects)', async () => {
  await app`INSERT INTO patient ${app(names)}`;
  const found = [];
  for (const { name } of names) {
    found.push((await app`SELECT name FROM patient_revealed WHERE name = ${name} AND id >= 10`)[0].name);
  }
  return found;
});
step('refused', 'error.code', async () => [
  await stateOf(intern`SELECT seal.reveal(nir) FROM patient WHERE id = 1`),
  await stateOf(intern`INSERT INTO patient ${intern({ id: 99, nir: 'x' })}`)]);
step('view_insert', 'sql(object)', async () => {
  await app`INSERT INTO patient_revealed ${app(viewRow)}`;
  return (await rows(app`SELECT id, name, born, note FROM patient_revealed WHERE id = 7`))[0];
});
step('view_update', 'sql(object)', async () => {
  await app`UPDATE patient_revealed SET ${app({ note: 'relu' })} WHERE id = 7`;
  return (await rows(app`SELECT note FROM patient_revealed WHERE id = 7`))[0];
});

async function main() {
  await runSteps(`postgres.js ${version('postgres')}`);
  await intern.end();
  await app.end();
}

main();
