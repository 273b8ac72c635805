// TypeORM: knows no type but its own, so sealed columns are declared varchar and the table is made by a query.
// Never with `synchronize`: it would drop each sealed column and add a varchar one; a step shows what it would run.
'use strict';
require('reflect-metadata');
const { DataSource, EntitySchema, Like, And, LessThan, MoreThanOrEqual } = require('typeorm');
const {
  changes, names, native, nativeParameters, patients, plain, runSteps, stateOf, step, table, upserted, version, view, viewRow,
} = require('./steps');

const id = { type: 'int', primary: true };
const text = { type: 'varchar', nullable: true };
const Patient = new EntitySchema({
  name: 'patient',
  columns: { id, nir: { ...text, unique: true }, name: text, born: text, seen: text, dose: text, note: text },
});
const Revealed = new EntitySchema({
  name: 'patient_revealed',
  columns: {
    id, nir: text, name: text, born: { type: 'date', nullable: true }, seen: { type: 'timestamptz', nullable: true },
    dose: { type: 'numeric', nullable: true }, note: text,
  },
});

const connect = (username, password, entities) => new DataSource({
  type: 'postgres', host: process.env.PGHOST, port: Number(process.env.PGPORT), database: process.env.PGDATABASE, username, password,
  entities, synchronize: false, installExtensions: false,
});
const app = connect('client_app', 'app', [Patient, Revealed]);
const intern = connect('client_intern', 'intern', [Patient]);

const revealed = () => app.getRepository(Revealed);
const patient = () => app.getRepository(Patient);
const ids = async (where) => (await revealed().find({ where, order: { id: 'ASC' } })).map((row) => row.id);
const one = async (key, columns) => {
  const row = await revealed().findOneBy({ id: key });
  return plain(columns ? Object.fromEntries(columns.map((column) => [column, row[column]])) : row);
};

// Statements that would take a sealed column away.
async function dropsOfSynchronize() {
  const { upQueries } = await app.driver.createSchemaBuilder().log();
  return upQueries.map(({ query }) => query).filter((query) => /DROP COLUMN/.test(query));
}

step('create', 'query() of CREATE TABLE; synchronize is false', async () => {
  for (const statement of [table, ...view]) {
    await app.query(statement);
  }
  return ids({});
});
step('type', 'QueryRunner.getTable(); an entity cannot name the type; synchronize would drop', async () => {
  const runner = app.createQueryRunner();
  const found = (await runner.getTable('patient')).findColumnByName('nir').type;
  await runner.release();
  const refusal = await connect('client_app', 'app', [new EntitySchema({ name: 'x', columns: { id, nir: { type: 'sealed_text' } } })])
    .initialize().then(() => null, (error) => error.message);
  return { found, entity: refusal, synchronize: await dropsOfSynchronize() };
});
step('insert', 'Repository.insert() of the entity of the table, seen as a string', async () => {
  await patient().insert(patients.map((row) => ({ ...row, seen: row.seen.toISOString() })));
  return one(1);
});
step('null', 'Repository.save(), null', async () => {
  await patient().save({ id: 5, nir: '555', name: null, born: null });
  return one(5, ['name', 'born', 'seen', 'dose', 'note']);
});
step('update', 'Repository.update()', async () => {
  await patient().update(2, changes);
  return one(2, ['born', 'dose', 'note']);
});
step('update', 'findOneBy(), save()', async () => {
  const row = await patient().findOneBy({ id: 2 });
  await patient().save(Object.assign(row, changes));
  return one(2, ['born', 'dose', 'note']);
});
step('upsert', "createQueryBuilder().insert().orUpdate(['name'], ['nir'])", async () => {
  await patient().createQueryBuilder().insert().values(upserted).orUpdate(['name'], ['nir']).execute();
  return (await revealed().find({ where: [{ id: 3 }, { id: 6 }], order: { id: 'ASC' }, select: { id: true, name: true } })).map(plain);
});
step('equality', 'on the view', () => ids({ nir: patients[0].nir }));
step('equality', 'on the table', async () => (await patient().findBy({ nir: patients[0].nir })).map((row) => row.id));
step('like', 'Like()', () => ids({ name: Like('N%') }));
step('range', 'MoreThanOrEqual(), LessThan()', () => ids({ born: And(MoreThanOrEqual('1990-01-01'), LessThan('1991-01-01')) }));
step('page', 'order, skip, take', async () =>
  (await revealed().find({ order: { name: 'ASC' }, skip: 2, take: 2 })).map((row) => row.id));
step('native', 'query()', async () => (await app.query(native, nativeParameters)).map(plain));
step('names', 'Repository.insert()', async () => {
  await patient().insert(names);
  const found = [];
  for (const { name } of names) {
    found.push((await revealed().findOneBy({ name, id: MoreThanOrEqual(10) })).name);
  }
  return found;
});
step('refused', 'error.driverError.code', async () => {
  await intern.initialize();
  return [await stateOf(intern.query('SELECT seal.reveal(nir) FROM patient WHERE id = 1')),
    await stateOf(intern.getRepository(Patient).insert({ id: 99, nir: 'x' }))];
});
step('view_insert', 'Repository.insert() of the entity of the view', async () => {
  await revealed().insert(viewRow);
  return one(7, ['id', 'name', 'born', 'note']);
});
step('view_update', 'Repository.update() of the entity of the view', async () => {
  await revealed().update(7, { note: 'relu' });
  return one(7, ['note']);
});

async function main() {
  await app.initialize();
  await runSteps(`TypeORM ${version('typeorm')} on node-postgres ${version('pg')}`);
  await intern.destroy();
  await app.destroy();
}

main();
