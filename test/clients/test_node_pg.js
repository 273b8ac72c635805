// node-postgres: parameters without a type, as text; arrays as array literals.
'use strict';
const fs = require('fs');
const path = require('path');
const { Client } = require('pg');

// An empty name too: it is a value, NULL is none.
const names = ['', ...fs.readFileSync(process.env.CLIENTS_NAMES, 'utf8').split('\n').slice(0, -1)];
const table = fs.readFileSync(path.join(__dirname, 'patient.sql'), 'utf8');
const seen = new Date('2021-02-23T10:15:30.250+01:00');
const row = {
  nir: '184127645108946', name: 'Léger', born: '1984-12-03', token: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
  alive: true, visits: 7, weight: 71.5, dose: '0.30', seen, record: { hiv: ['positive', null] },
  scan: Buffer.from([0x00, 0xff, 0x5c]),
};
// What pg makes of a revealed value, where that is not what was written.
const read = { visits: '7' };

let count = 0;
let failed = 0;

function ok(passed, name) {
  count += 1;
  failed += passed ? 0 : 1;
  console.log(`${passed ? '' : 'not '}ok ${count} - ${name}`);
}

function equal(got, expected, name) {
  const same = JSON.stringify(got) === JSON.stringify(expected);
  ok(same, name);
  if (!same) {
    console.log(`# got ${JSON.stringify(got)}, expected ${JSON.stringify(expected)}`);
  }
}

async function column(client, query, params) {
  const result = await client.query({ rowMode: 'array', ...(query.text ? query : { text: query }), values: params });
  return result.rows.map((fields) => fields[0]);
}

async function errorOf(client, text, params) {
  try {
    await client.query(text, params);
  } catch (error) {
    return error.code;
  }
  return undefined;
}

async function testWrite(app) {
  await app.query(table);
  const marks = Object.keys(row).map((_, n) => `, $${n + 2}`).join('');
  await app.query(`INSERT INTO patient (id, ${Object.keys(row).join(', ')}) VALUES ($1${marks})`, [1, ...Object.values(row)]);
  for (const name of Object.keys(row)) {
    const cast = name === 'born' ? '::date::text' : '';
    equal(await column(app, `SELECT seal.reveal(${name})${cast} FROM patient`), [read[name] ?? row[name]],
      `insert and reveal: ${name}`);
  }
  await app.query('UPDATE patient SET born = $1 WHERE id = 1', [new Date(1984, 11, 3)]);
  equal(await column(app, 'SELECT born::text FROM patient'), ['1984-12-03'], 'update: a Date, sent with time and zone');
  await app.query('UPDATE patient SET dose = $1, seen = $2 WHERE id = 1', [null, undefined]);
  equal(await column(app, 'SELECT dose IS NULL AND seen IS NULL FROM patient'), [true], 'update: null');

  await app.query('INSERT INTO patient (id, nir, name) VALUES ($1, $2, $3), ($4, $5, $3)', [2, 'second', 'same', 3, 'third']);
  equal(await column(app, 'SELECT seal.reveal(nir) FROM patient WHERE id IN (2, 3) ORDER BY id'), ['second', 'third'],
    'insert: several rows');
  equal(new Set(await column(app, 'SELECT name FROM patient WHERE id IN (2, 3)')).size, 2,
    'one parameter in two rows: two ciphertexts');
  equal(await column(app, `INSERT INTO patient (id, nir, name) VALUES ($1, $2, $3)
      ON CONFLICT (nir) DO UPDATE SET name = excluded.name RETURNING id || ' ' || seal.reveal(name)`,
  [99, 'second', 'upserted']), ['2 upserted'], 'upsert');
}

async function testSearch(app) {
  equal(await column(app, 'SELECT id FROM patient WHERE nir = $1', ['third']), [3], 'search: string');
  equal(await column(app, 'SELECT id FROM patient WHERE born = $1', [new Date(1984, 11, 3)]), [1], 'search: Date');
  equal(await column(app, 'SELECT id FROM patient WHERE token = $1', [row.token]), [1], 'search: uuid');
  equal(await column(app, 'SELECT id FROM patient WHERE nir = ANY($1) ORDER BY id', [['second', 'third', 'nobody']]), [2, 3],
    'search: = ANY of an array');
  equal(await column(app, 'SELECT id FROM patient WHERE nir IN ($1, $2) ORDER BY id', ['second', 'third']), [2, 3],
    'search: IN');
  equal(await errorOf(app, 'SELECT id FROM patient WHERE visits = $1', [7]), '0A000', 'search: 0A000 when not searchable');
  await app.query('SET enable_seqscan = off');
  const plan = await column(app, 'EXPLAIN SELECT id FROM patient WHERE nir = $1', ['third']);
  ok(plan.join('\n').includes('Index Scan using patient_nir_key'), 'search uses the index');
}

async function testEnvelopes(app) {
  const [envelope] = await column(app, 'SELECT nir FROM patient WHERE id = 3');
  ok(envelope.startsWith('seal1:'), 'a sealed column reads as an envelope');
  await app.query('UPDATE patient SET nir = $1 WHERE id = 3', [envelope]);
  equal(await column(app, 'SELECT nir FROM patient WHERE id = 3'), [envelope], 'and can be written back');

  const insert = { name: 'insert', text: 'INSERT INTO patient (id, name) VALUES ($1, $2)' };
  for (const id of [10, 11, 12]) {
    await app.query({ ...insert, values: [id, 'three times'] });
  }
  equal(new Set(await column(app, 'SELECT name FROM patient WHERE id BETWEEN 10 AND 12')).size, 3,
    'prepared, executed three times: three ciphertexts');
  const found = [];
  for (let turn = 0; turn < 7; turn += 1) {
    found.push(...await column(app, { name: 'find', text: 'SELECT id FROM patient WHERE nir = $1' }, ['third']));
  }
  equal(found, Array(7).fill(3), 'a prepared search goes on finding after its plan became generic');
}

async function testNames(app) {
  for (const [n, name] of names.entries()) {
    await app.query({ name: 'name', text: 'INSERT INTO patient (id, nir, name) VALUES ($1, $2, $2)', values: [1000 + n, name] });
  }
  equal(await column(app, 'SELECT seal.reveal(name) FROM patient WHERE id >= 1000 ORDER BY id'), names,
    `${names.length} names of all scripts are written and read`);
  equal(await column(app, 'SELECT id FROM patient WHERE nir = ANY($1) ORDER BY id', [names]), names.map((_, n) => 1000 + n),
    'and found');
}

async function testWithoutRight() {
  const intern = new Client({ user: 'client_intern', password: 'intern' });
  await intern.connect();
  equal(await errorOf(intern, 'SELECT seal.reveal(nir) FROM patient'), '42501', 'without a right: reveal');
  equal(await errorOf(intern, 'INSERT INTO patient (id, nir) VALUES ($1, $2)', [30, 'x']), '42501', 'without a right: insert');
  equal(await errorOf(intern, 'SELECT id FROM patient WHERE nir = $1', ['third']), '42501', 'without a right: search');
  await intern.end();
}

async function main() {
  const app = new Client();
  await app.connect();
  await testWrite(app);
  await testSearch(app);
  await testEnvelopes(app);
  await testNames(app);
  await testWithoutRight();
  await app.end();
  console.log(`1..${count}`);
  process.exitCode = failed > 0 ? 1 : 0;
}

main();
