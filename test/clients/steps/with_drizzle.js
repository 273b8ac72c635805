// Drizzle: a customType() for sealed columns; one table for the table, one for the view.
'use strict';
const { Client } = require('pg');
const { and, asc, eq, gte, inArray, like, lt, sql } = require('drizzle-orm');
const { drizzle } = require('drizzle-orm/node-postgres');
const { customType, date, getTableConfig, integer, numeric, pgTable, text, timestamp } = require('drizzle-orm/pg-core');
const {
  changes, names, nativeParameters, patients, plain, runSteps, stateOf, step, upserted, version, view, viewRow,
} = require('./steps');

const sealed = (kind, key) => customType({ dataType: () => `sealed_${kind}(${key})` })();
const patient = pgTable('patient', {
  id: integer().primaryKey(),
  nir: sealed('text', 'nir').unique(),
  name: sealed('text', 'identity'),
  born: sealed('date', 'identity'),
  seen: sealed('timestamptz', 'clinical'),
  dose: sealed('numeric', 'clinical'),
  note: sealed('text', 'clinical'),
});
const revealed = pgTable('patient_revealed', {
  id: integer().primaryKey(),
  nir: text(),
  name: text(),
  born: date(),
  seen: timestamp({ withTimezone: true }),
  dose: numeric(),
  note: text(),
});

const appClient = new Client();
const internClient = new Client({ user: 'client_intern', password: 'intern' });
const app = drizzle(appClient);
const intern = drizzle(internClient);

const ids = async (query) => (await query.orderBy(asc(revealed.id))).map(({ id }) => id);
const select = () => app.select({ id: revealed.id }).from(revealed);
const one = async (key, columns) => plain((await (columns ? app.select(columns) : app.select()).from(revealed).where(eq(revealed.id, key)))[0]);

// drizzle-kit, which makes tables, writes the same from the same description.
function createTable() {
  const { name, columns } = getTableConfig(patient);
  const lines = columns.map((column) =>
    `${column.name} ${column.getSQLType()}${column.primary ? ' PRIMARY KEY' : ''}${column.isUnique ? ' UNIQUE' : ''}`);
  return `CREATE TABLE ${name} (${lines.join(', ')})`;
}

step('create', 'execute() of CREATE TABLE, its columns from getTableConfig() and customType()', async () => {
  for (const statement of [createTable(), ...view]) {
    await app.execute(sql.raw(statement));
  }
  return ids(select());
});
step('type', 'what the customType() declares; drizzle-orm itself reads no catalog', async () => patient.nir.getSQLType());
step('insert', 'insert().values() of objects, seen as a Date', async () => {
  await app.insert(patient).values(patients);
  return one(1);
});
step('null', 'null', async () => {
  await app.insert(patient).values({ id: 5, nir: '555', name: null, born: null });
  const { name, born, seen, dose, note } = revealed;
  return one(5, { name, born, seen, dose, note });
});
step('update', 'update().set()', async () => {
  await app.update(patient).set(changes).where(eq(patient.id, 2));
  const { born, dose, note } = revealed;
  return one(2, { born, dose, note });
});
step('upsert', 'onConflictDoUpdate()', async () => {
  await app.insert(patient).values(upserted).onConflictDoUpdate({ target: patient.nir, set: { name: sql`excluded.name` } });
  const { id, name } = revealed;
  return (await app.select({ id, name }).from(revealed).where(inArray(id, [3, 6])).orderBy(asc(id))).map(plain);
});
step('equality', 'on the view', () => ids(select().where(eq(revealed.nir, patients[0].nir))));
step('equality', 'on the table', async () =>
  (await app.select({ id: patient.id }).from(patient).where(eq(patient.nir, patients[0].nir))).map(({ id }) => id));
step('like', 'like()', () => ids(select().where(like(revealed.name, 'N%'))));
step('range', 'gte() and lt()', () => ids(select().where(and(gte(revealed.born, '1990-01-01'), lt(revealed.born, '1991-01-01')))));
step('page', 'orderBy().limit().offset()', async () =>
  (await select().orderBy(asc(revealed.name)).limit(2).offset(2)).map(({ id }) => id));
step('native', 'sql`...` with parameters', async () => (await app.execute(sql`
  SELECT id, name, dose FROM patient_revealed WHERE nir = ${nativeParameters[0]} AND born > ${nativeParameters[1]}`)).rows.map(plain));
step('names', 'insert().values()', async () => {
  await app.insert(patient).values(names);
  const found = [];
  for (const { name } of names) {
    found.push((await app.select({ name: revealed.name }).from(revealed).where(and(eq(revealed.name, name), gte(revealed.id, 10))))[0].name);
  }
  return found;
});
step('refused', 'error.cause.code', async () => [
  await stateOf(intern.select({ nir: sql`seal.reveal(${patient.nir})` }).from(patient).where(eq(patient.id, 1))),
  await stateOf(intern.insert(patient).values({ id: 99, nir: 'x' }))]);
step('view_insert', 'insert() into the table of the view', async () => {
  await app.insert(revealed).values(viewRow);
  const { id, name, born, note } = revealed;
  return one(7, { id, name, born, note });
});
step('view_update', 'update() of the table of the view', async () => {
  await app.update(revealed).set({ note: 'relu' }).where(eq(revealed.id, 7));
  return one(7, { note: revealed.note });
});

async function main() {
  await appClient.connect();
  await internClient.connect();
  await runSteps(`Drizzle ${version('drizzle-orm')} on node-postgres ${version('pg')}`);
  await internClient.end();
  await appClient.end();
}

main();
