// Graphile Worker with its local queue and batched completion.
import { Logger, makeWorkerUtils, run } from 'graphile-worker'
import pg from 'pg'
import { measure } from './measure.js'

const logger = new Logger(() => () => {})

await measure(async (connectionString, atOnce) => {
  const pool = new pg.Pool({ connectionString, max: 20 })
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  const utils = await makeWorkerUtils({ pgPool: pool, logger })
  await utils.migrate()
  let runner
  const start = async (task, handler, worker) => {
    runner = await run({
      pgPool: pool,
      logger,
      noHandleSignals: true,
      parsedCronItems: [],
      taskList: { [task]: async (payload) => handler(payload.number) },
      preset: { worker: { concurrentJobs: atOnce, ...worker } },
    })
  }
  return {
    add: (number) => utils.addJob('empty', { number }),
    addMany: (numbers) =>
      utils.addJobs(numbers.map((number) => ({ identifier: 'empty', payload: { number } }))),
    work: (handler) => start('empty', handler, { localQueue: { size: 500 }, completeJobBatchDelay: 0 }),
    settled: async () => {
      const left = await pool.query('select 1 from graphile_worker._private_jobs limit 1')
      return left.rowCount === 0
    },
    addProbe: (number) => utils.addJob('probe', { number }),
    // Without the local queue it begins sooner.
    workProbes: async (handler) => {
      await runner.stop()
      await start('probe', handler, {})
    },
  }
})
