// What the Node.js clients share: the rows they write, and how they give their answers.
'use strict';
const fs = require('fs');
const path = require('path');

const read = (...parts) => fs.readFileSync(path.join(__dirname, ...parts), 'utf8');
const linesOf = (text) => text.split('\n').filter((line) => line !== '');

const [heading, ...lines] = linesOf(read('patients.tsv')).map((line) => line.split('\t'));
const patients = lines.map((fields) => {
  const patient = Object.fromEntries(heading.map((column, n) => [column, fields[n]]));
  return { ...patient, id: Number(patient.id), seen: new Date(patient.seen) };
});
const order = linesOf(read('steps.tsv')).map((line) => line.split('\t')[0]);
const steps = [];

// Makes the function the client's step `name`, or one more way to do it.  Steps run in the order of steps.tsv.
function step(name, how, run) {
  steps.push({ name, how, run });
}

// A date may be a Date at midnight, here.
function day(value) {
  if (!(value instanceof Date)) {
    return value;
  }
  return [value.getFullYear(), value.getMonth() + 1, value.getDate()].map((part) => String(part).padStart(2, '0')).join('-');
}

// A row of the view as steps.tsv has it: dates as days, times to the second.
function plain(row) {
  const seen = row.seen && `${row.seen.toISOString().slice(0, 19)}Z`;
  return Object.values({ ...row, ...(row.born && { born: day(row.born) }), ...(row.seen && { seen }) });
}

async function answerOf(run) {
  try {
    return await run();
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

async function runSteps(client) {
  console.log(`client\t${client}`);
  for (const { name, how, run } of steps.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name))) {
    console.log(`${name}\t${how}\t${JSON.stringify(await answerOf(run))}`);
  }
}

// The SQLSTATE of a promise that must fail.
async function stateOf(promise) {
  try {
    await promise;
  } catch (error) {
    return (error.cause ?? error.original ?? error.driverError ?? error).code;
  }
  return null;
}

module.exports = {
  columns: heading,
  patients,
  names: linesOf(read('..', 'names.txt')).map((name, n) => ({ id: 10 + n, nir: String(10 + n), name })),
  table: read('table.sql'),
  view: linesOf(read('view.sql')),
  changes: { born: '1990-01-16', dose: '12.50', note: 'négatif' },
  upserted: [{ id: 33, nir: patients[2].nir, name: 'Noël' }, { id: 6, nir: '666', name: 'Nadia' }],
  native: 'SELECT id, name, dose FROM patient_revealed WHERE nir = $1 AND born > $2',
  nativeParameters: [patients[1].nir, '1990-01-01'],
  viewRow: { id: 7, nir: '777', name: 'Vue', born: '2001-02-03', note: 'à relire' },
  version: (name) => require('../package-lock.json').packages[`node_modules/${name}`].version,
  step,
  plain,
  stateOf,
  runSteps,
};
