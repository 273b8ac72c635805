// Sequelize: sealed columns as types written as strings; one model for the table, one for the view.
'use strict';
const { DataTypes, Op, QueryTypes, Sequelize } = require('sequelize');
const {
  changes, names, native, nativeParameters, patients, plain, runSteps, stateOf, step, upserted, version, view, viewRow,
} = require('./steps');

const connect = (user, password) => new Sequelize(process.env.PGDATABASE, user, password, {
  dialect: 'postgres', host: process.env.PGHOST, port: Number(process.env.PGPORT), logging: false, define: { timestamps: false },
});
const app = connect('client_app', 'app');
const intern = connect('client_intern', 'intern');

const id = { type: DataTypes.INTEGER, primaryKey: true };
const sealed = {
  id,
  nir: { type: 'sealed_text(nir)', unique: true },
  name: 'sealed_text(identity)',
  born: 'sealed_date(identity)',
  seen: 'sealed_timestamptz(clinical)',
  dose: 'sealed_numeric(clinical)',
  note: 'sealed_text(clinical)',
};
const Patient = app.define('patient', sealed, { freezeTableName: true });
const Revealed = app.define('patient_revealed', {
  id,
  nir: DataTypes.TEXT,
  name: DataTypes.TEXT,
  born: DataTypes.DATEONLY,
  seen: DataTypes.DATE,
  dose: DataTypes.DECIMAL,
  note: DataTypes.TEXT,
}, { freezeTableName: true });

const ids = async (where) => (await Revealed.findAll({ where, order: ['id'] })).map((patient) => patient.id);
const one = async (key, attributes) => plain((await Revealed.findByPk(key, { attributes })).get());

step('create', 'Model.sync(), the type of a column as a string', async () => {
  await Patient.sync();
  for (const statement of view) {
    await app.query(statement);
  }
  return ids({});
});
step('type', 'QueryInterface.describeTable()', async () => (await app.getQueryInterface().describeTable('patient')).nir);
step('insert', 'bulkCreate(), seen as a Date', async () => {
  await Patient.bulkCreate(patients);
  return one(1);
});
step('null', 'create(), null', async () => {
  await Patient.create({ id: 5, nir: '555', name: null, born: null });
  return one(5, ['name', 'born', 'seen', 'dose', 'note']);
});
step('update', 'update()', async () => {
  await Patient.update(changes, { where: { id: 2 } });
  return one(2, ['born', 'dose', 'note']);
});
step('update', 'findByPk(), set(), save()', async () => {
  const patient = await Patient.findByPk(2);
  patient.set(changes);
  await patient.save();
  return one(2, ['born', 'dose', 'note']);
});
step('upsert', "bulkCreate() with updateOnDuplicate and conflictAttributes ['nir']", async () => {
  await Patient.bulkCreate(upserted, { updateOnDuplicate: ['name'], conflictAttributes: ['nir'] });
  return (await Revealed.findAll({ where: { id: [3, 6] }, order: ['id'], attributes: ['id', 'name'] })).map((row) => plain(row.get()));
});
step('upsert', "upsert() with conflictFields ['nir']", async () => {
  for (const row of upserted) {
    await Patient.upsert(row, { conflictFields: ['nir'], fields: ['name'] });
  }
  return (await Revealed.findAll({ where: { id: [3, 6] }, order: ['id'], attributes: ['id', 'name'] })).map((row) => plain(row.get()));
});
step('equality', 'on the view', () => ids({ nir: patients[0].nir }));
step('equality', 'on the table', async () =>
  (await Patient.findAll({ where: { nir: patients[0].nir } })).map((patient) => patient.id));
step('like', 'Op.startsWith', () => ids({ name: { [Op.startsWith]: 'N' } }));
step('range', 'Op.gte and Op.lt', () => ids({ born: { [Op.gte]: '1990-01-01', [Op.lt]: '1991-01-01' } }));
step('page', 'order, limit, offset', async () =>
  (await Revealed.findAll({ order: ['name'], limit: 2, offset: 2 })).map((patient) => patient.id));
step('native', 'query() with bind', async () =>
  (await app.query(native, { bind: nativeParameters, type: QueryTypes.SELECT })).map(plain));
step('names', 'bulkCreate()', async () => {
  await Patient.bulkCreate(names);
  const found = [];
  for (const { name } of names) {
    found.push((await Revealed.findOne({ where: { name, id: { [Op.gte]: 10 } } })).name);
  }
  return found;
});
step('refused', 'error.original.code', async () => [
  await stateOf(intern.query('SELECT seal.reveal(nir) FROM patient WHERE id = 1')),
  await stateOf(intern.query("INSERT INTO patient (id, nir) VALUES (99, 'x')"))]);
step('view_insert', 'create() of the model of the view', async () => {
  await Revealed.create(viewRow);
  return one(7, ['id', 'name', 'born', 'note']);
});
step('view_update', 'update() of the model of the view', async () => {
  await Revealed.update({ note: 'relu' }, { where: { id: 7 } });
  return one(7, ['note']);
});

async function main() {
  await runSteps(`Sequelize ${version('sequelize')} on node-postgres ${version('pg')}`);
  await intern.close();
  await app.close();
}

main();
