// Knex: the query builder; sealed columns by specificType().
'use strict';
const knex = require('knex');
const {
  changes, names, native, nativeParameters, patients, plain, runSteps, stateOf, step, upserted, version, view, viewRow,
} = require('./steps');

const connect = (user, password) => knex({
  client: 'pg',
  connection: { host: process.env.PGHOST, port: Number(process.env.PGPORT), database: process.env.PGDATABASE, user, password },
});
const app = connect('client_app', 'app');
const intern = connect('client_intern', 'intern');

const revealed = () => app('patient_revealed');
const ids = (query) => query.orderBy('id').pluck('id');
const first = async (id, ...columns) => plain(await revealed().where({ id }).first(...columns));

step('create', 'schema.createTable(), specificType()', async () => {
  await app.schema.createTable('patient', (table) => {
    table.integer('id').primary();
    table.specificType('nir', 'sealed_text(nir)').unique();
    table.specificType('name', 'sealed_text(identity)');
    table.specificType('born', 'sealed_date(identity)');
    table.specificType('seen', 'sealed_timestamptz(clinical)');
    table.specificType('dose', 'sealed_numeric(clinical)');
    table.specificType('note', 'sealed_text(clinical)');
  });
  for (const statement of view) {
    await app.raw(statement);
  }
  return ids(revealed());
});
step('type', 'columnInfo()', () => app('patient').columnInfo('nir'));
step('insert', 'insert() of objects, seen as a Date', async () => {
  await app('patient').insert(patients);
  return first(1);
});
step('null', 'null, and columns left out', async () => {
  await app('patient').insert({ id: 5, nir: '555', name: null, born: null });
  return first(5, 'name', 'born', 'seen', 'dose', 'note');
});
step('update', 'update()', async () => {
  await app('patient').where({ id: 2 }).update(changes);
  return first(2, 'born', 'dose', 'note');
});
step('upsert', "onConflict('nir').merge(['name'])", async () => {
  await app('patient').insert(upserted).onConflict('nir').merge(['name']);
  return (await revealed().whereIn('id', [3, 6]).orderBy('id').select('id', 'name')).map(plain);
});
step('equality', 'on the view', () => ids(revealed().where({ nir: patients[0].nir })));
step('equality', 'on the table', () => ids(app('patient').where({ nir: patients[0].nir })));
step('like', 'whereLike()', () => ids(revealed().whereLike('name', 'N%')));
step('like', 'whereILike()', () => ids(revealed().whereILike('name', 'n%')));
step('range', "where('born', '>=', ...)", () => ids(revealed().where('born', '>=', '1990-01-01').where('born', '<', '1991-01-01')));
step('page', 'orderBy().limit().offset()', () => revealed().orderBy('name').limit(2).offset(2).pluck('id'));
step('native', 'raw()', async () => (await app.raw(native.replace(/\$\d/g, '?'), nativeParameters)).rows.map(plain));
step('names', 'batchInsert()', async () => {
  await app.batchInsert('patient', names, 5);
  const found = [];
  for (const { name } of names) {
    found.push((await revealed().where({ name }).where('id', '>=', 10).first('name')).name);
  }
  return found;
});
step('refused', 'error.code', async () => [
  await stateOf(intern('patient').where({ id: 1 }).select(intern.raw('seal.reveal(nir)'))),
  await stateOf(intern('patient').insert({ id: 99, nir: 'x' }))]);
step('view_insert', 'insert()', async () => {
  await revealed().insert(viewRow);
  return first(7, 'id', 'name', 'born', 'note');
});
step('view_update', 'update()', async () => {
  await revealed().where({ id: 7 }).update({ note: 'relu' });
  return first(7, 'note');
});

async function main() {
  await runSteps(`Knex ${version('knex')} on node-postgres ${version('pg')}`);
  await intern.destroy();
  await app.destroy();
}

main();
