// pg-boss: large batches that are fetched again at once while they are full; for single jobs LISTEN and NOTIFY.
import pg from 'pg'
import { PgBoss } from 'pg-boss'
import { measure } from './measure.js'

await measure(async (connectionString) => {
  const pool = new pg.Pool({ connectionString, max: 2 })
  const boss = new PgBoss({ connectionString, max: 20, useListenNotify: true, supervise: false, schedule: false })
  boss.on('error', (error) => console.error(error))
  await boss.start()
  await boss.createQueue('empty')
  await boss.createQueue('probe', { notify: true })
  return {
    add: (number) => boss.send('empty', { number }),
    addMany: (numbers) => boss.insert('empty', numbers.map((number) => ({ data: { number } }))),
    work: (handler) =>
      boss.work(
        'empty',
        { batchSize: 500, localConcurrency: 2, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 },
        async (jobs) => {
          for (const job of jobs) handler(job.data.number)
        },
      ),
    settled: async () => {
      const left = await pool.query("select 1 from pgboss.job where name = 'empty' and state < 'completed' limit 1")
      return left.rowCount === 0
    },
    addProbe: (number) => boss.send('probe', { number }),
    workProbes: async (handler) => {
      await boss.offWork('empty')
      await boss.work('probe', { batchSize: 1, pollingIntervalSeconds: 0.5 }, async ([job]) => handler(job.data.number))
    },
  }
})
