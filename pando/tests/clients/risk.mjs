// A client of risk decisions as the published one is, with Node's own libraries alone.
//
// usage: risk.mjs ADDRESS KEY READER_KEY
//
// It calls every published method, checks the type of every published key of each answer, and provokes the published errors.

import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';

const contract = JSON.parse(readFileSync(new URL('./risk_contract.json', import.meta.url)));
const [address, key, reader] = process.argv.slice(2);

/** An answer that is not 2xx, as the published client parses it. */
class RiskError extends Error {
  constructor(status, body) {
    super(`${status} ${body.error.code}: ${body.error.message}`);
    Object.assign(this, { status, body, code: body.error.code, validation: body.error.validation ?? [] });
  }
}

class Risk {
  constructor(key) {
    this.key = key;
  }

  async send(method, path, content, media = 'application/json') {
    const headers = {};
    if (content !== undefined) headers['Content-Type'] = media;
    if (this.key) headers.Authorization = `Bearer ${this.key}`;
    const answer = await fetch(`http://${address}${path}`, { method, headers, body: content });
    const body = await answer.json();
    if (!answer.ok) throw new RiskError(answer.status, body);
    return body;
  }

  post(path, body) {
    return this.send('POST', path, JSON.stringify(body));
  }

  get(path) {
    return this.send('GET', path);
  }

  assess = (business) => this.post('/v1/assess', business);
  getAssessment = (id) => this.get(`/v1/assess/${id}`);
  history = (id) => this.get(`/v1/assess/${id}/history`);
  predict = (id, horizon_months, scenarios) => this.post(`/v1/assess/${id}/predict`, { horizon_months, scenarios });
  predictAdvanced = (business, prediction_horizons) =>
    this.post('/v1/risk/predict-advanced', {
      ...business,
      prediction_horizons,
      confidence_threshold: 0.7,
      include_temporal_analysis: true,
      include_scenario_analysis: true,
      include_model_comparison: true,
    });
  checkCompliance = (business) => this.post('/v1/compliance/check', business);
  screenSanctions = (business_name) => this.post('/v1/sanctions/screen', { business_name });
  monitorMedia = (business_name, business_address) =>
    this.post('/v1/media/monitor', { business_name, business_address });
  trends = () => this.get('/v1/analytics/trends?timeframe=7d');
  insights = () => this.get('/v1/analytics/insights?riskLevel=low');
  batch = (businesses) => this.post('/v1/assess/batch', { businesses });
  modelInfo = (kind) => this.get(`/v1/models/${kind}/info`);
  performance = () => this.get('/v1/models/performance');
  analyze = (business_id) => this.post('/v1/scenarios/analyze', { business_id, monte_carlo_runs: 100, seed: 7 });
  createWebhook = (url, events) => this.post('/v1/webhooks', { url, events });
}

const simple = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: (value) => Number.isSafeInteger(value),
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  time: (value) => /Z$/.test(value) && !Number.isNaN(Date.parse(value)),
  level: (value) => ['low', 'medium', 'high', 'critical'].includes(value),
  trend: (value) => ['improving', 'stable', 'deteriorating'].includes(value),
};

/** Checks a value against a shape of the contract. */
function check(shape, value, at) {
  if (Array.isArray(shape)) {
    assert(Array.isArray(value), `${at} is no list`);
    value.forEach((item, place) => check(shape[0], item, `${at}[${place}]`));
  } else if (typeof shape === 'object') {
    assert(simple.object(value), `${at} is no object`);
    for (const [key, below] of Object.entries(shape)) {
      assert(key in value, `${at}.${key} is missing`);
      check(below, value[key], `${at}.${key}`);
    }
  } else if (shape.endsWith('?')) {
    if (value !== null) check(shape.slice(0, -1), value, at);
  } else if (shape in simple) {
    assert(simple[shape](value), `${at} is no ${shape}: ${JSON.stringify(value)}`);
  } else {
    check(contract.shapes[shape], value, at);
  }
}

async function callEveryMethod(client) {
  const { business } = contract;
  let calls = 0;
  const checked = async (shape, answer) => {
    calls += 1;
    const value = await answer;
    check(shape, value, shape);
    return value;
  };
  const made = await checked('assessment', client.assess(business));
  assert.deepEqual(await checked('assessment', client.getAssessment(made.id)), made);
  await checked('history', client.history(made.id));
  await checked('prediction', client.predict(made.id, 6, ['base', 'pessimistic']));
  await checked('advanced', client.predictAdvanced(business, [3, 12]));
  await checked('compliance', client.checkCompliance(business));
  await checked('compliance', client.checkCompliance({ entity_name: 'Quiet Meadow Bakery', entity_type: 'organization', country: 'CH' }));
  const listed = await checked('screening', client.screenSanctions('Viktor Zabolotnikov'));
  assert.equal(listed.sanctions_status, 'match');
  await checked('monitoring', client.monitorMedia('Blue Lantern Shipping GmbH', '1 Main Street, Springfield'));
  await checked('trends', client.trends());
  await checked('batch', client.batch([business, business]));
  await checked('insights', client.insights());
  await checked('model', client.modelInfo('ensemble'));
  await checked('performance', client.performance());
  await checked('simulation', client.analyze(made.business_id));
  await checked('webhook', client.createWebhook('https://hooks.example/', ['*']));
  return [made.id, calls];
}

async function provokeEveryError(keys, assessment) {
  for (const one of contract.errors) {
    const path = one.path.replace('{assessment}', assessment);
    let content = one.text ?? (one.body && JSON.stringify(one.body));
    if (one.large) content = JSON.stringify({ business_name: 'x'.repeat(5_000_000) });
    try {
      await new Risk(keys[one.key ?? 'admin']).send(one.method, path, content, one.type);
    } catch (error) {
      if (!(error instanceof RiskError)) {
        // The server may close the connection while too large a body is still being sent.
        assert(one.large, `${one.name}: ${error.stack}`);
        continue;
      }
      assert.deepEqual([error.status, error.code], [one.status, one.code], one.name);
      check('error', error.body, one.name);
      assert.equal(error.body.method, one.method);
      if (one.fields) assert.deepEqual(error.validation.map((field) => field.code), one.fields, one.name);
      continue;
    }
    assert.fail(`${one.name}: no error`);
  }
  return contract.errors.length;
}

const [assessment, calls] = await callEveryMethod(new Risk(key));
const errors = await provokeEveryError({ admin: key, reader, none: undefined, wrong: 'pando_wrong' }, assessment);
console.log(JSON.stringify({ calls, errors }));
