// BullMQ, which forgets what is completed.
import { Queue, Worker } from 'bullmq'
import { measure } from './measure.js'

await measure(async (port, atOnce) => {
  const connection = { host: '127.0.0.1', port: Number(port), maxRetriesPerRequest: null }
  const options = { connection, defaultJobOptions: { removeOnComplete: true, removeOnFail: true } }
  const [empty, probe] = [new Queue('empty', options), new Queue('probe', options)]
  let completed = 0
  let added = 0
  return {
    add: (number) => {
      added += 1
      return empty.add('empty', { number })
    },
    addMany: (numbers) => {
      added += numbers.length
      return empty.addBulk(numbers.map((number) => ({ name: 'empty', data: { number } })))
    },
    work: async (handler) => {
      const worker = new Worker('empty', async (job) => handler(job.data.number), { connection, concurrency: atOnce })
      worker.on('completed', () => (completed += 1))
    },
    settled: async () => completed === added,
    addProbe: (number) => probe.add('probe', { number }),
    workProbes: async (handler) => {
      const worker = new Worker('probe', async (job) => handler(job.data.number), { connection, concurrency: atOnce })
      await worker.waitUntilReady()
    },
  }
})
