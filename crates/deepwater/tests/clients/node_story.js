// node-postgres: what its users do, with named statements, parameters, a pool of its own and LISTEN.
const assert = require('assert');
const { Client, Pool } = require('pg');

const connectionString = process.env.DATABASE_URL;

async function connected(use, options = {}) {
  const client = new Client({ connectionString, ...options });
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.end();
  }
}

const steps = {
  async queries(client) {
    const { rows } = await client.query('SELECT $1::int + 1 AS sum, $2::text AS words', [41, null]);
    assert.deepStrictEqual(rows, [{ sum: 42, words: null }]);
    const results = await client.query('SELECT 1 AS a; SELECT 2 AS b');
    assert.deepStrictEqual(results.map((result) => result.rows), [[{ a: 1 }], [{ b: 2 }]]);
    assert.strictEqual((await client.query('SELECT generate_series(1, 10000)')).rowCount, 10000);
  },

  async named(client) {
    for (let number = 0; number < 50; number++) {
      const name = `statement ${number % 5}`;
      const text = `SELECT $1::int * ${(number % 5) + 1} AS product`;
      const { rows } = await client.query({ name, text, values: [number] });
      assert.strictEqual(rows[0].product, number * ((number % 5) + 1));
    }
  },

  async errors(client) {
    await assert.rejects(client.query('SELECT nonsense FROM nowhere'), { code: '42P01', position: '22' });
    await assert.rejects(client.query('SELECT $1::int', ['x']), { code: '22P02' });
    await assert.rejects(client.query({ name: 'bad', text: 'SELECT 1 / $1::int', values: [0] }), { code: '22012' });
    assert.strictEqual((await client.query('SELECT 1 AS one')).rows[0].one, 1);
  },

  async transactions(client) {
    await client.query('BEGIN');
    await client.query('CREATE TEMP TABLE t (n int) ON COMMIT DROP');
    await client.query('INSERT INTO t VALUES ($1), ($2)', [1, 2]);
    assert.strictEqual((await client.query('SELECT sum(n)::int AS sum FROM t')).rows[0].sum, 3);
    await client.query('COMMIT');
  },

  async queued(client) {
    const all = Array.from({ length: 200 }, (_, n) => client.query('SELECT $1::int AS n', [n]));
    assert.deepStrictEqual((await Promise.all(all)).map((result) => result.rows[0].n), all.map((_, n) => n));
  },

  async listening(client) {
    const heard = new Promise((resolve) => {
      const payloads = [];
      client.on('notification', (message) => {
        payloads.push(message.payload);
        if (payloads.length === 3) resolve(payloads);
      });
    });
    await client.query('LISTEN news');
    await connected(async (other) => {
      for (const payload of ['0', '1', '2']) await other.query('SELECT pg_notify($1, $2)', ['news', payload]);
    });
    assert.deepStrictEqual(await heard, ['0', '1', '2']);
  },

  async notices(client) {
    const heard = new Promise((resolve) => client.on('notice', resolve));
    await client.query("DO $$ BEGIN RAISE NOTICE 'told'; END $$");
    assert.strictEqual((await heard).message, 'told');
  },

  async settings() {
    const use = async (client) => {
      for (const [name, value] of [['statement_timeout', '4321ms'], ['application_name', 'a story']]) {
        assert.strictEqual((await client.query(`SHOW ${name}`)).rows[0][name], value);
      }
    };
    await connected(use, { statement_timeout: 4321, application_name: 'a story' });
  },

  async pools() {
    const pool = new Pool({ connectionString, max: 8 });
    const all = Array.from({ length: 100 }, (_, n) => pool.query('SELECT $1::int AS n', [n]));
    assert.strictEqual((await Promise.all(all)).reduce((sum, result) => sum + result.rows[0].n, 0), 4950);
    await pool.end();
  },
};

(async () => {
  const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(steps);
  for (const name of wanted) {
    try {
      await connected(steps[name]);
      console.log('good', name);
    } catch (error) {
      console.error(error);
      console.log('bad', name);
      process.exitCode = 1;
    }
  }
})();
