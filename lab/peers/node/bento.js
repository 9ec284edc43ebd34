// Plays a trace through BentoCache's two tiers; prints how long it took and what answered, as JSON.
import { readFileSync } from 'node:fs'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisDriver } from 'bentocache/drivers/redis'
import { Redis } from 'ioredis'

const [file, ...numbers] = process.argv.slice(2)
const [port, entries, valueBytes, atOnce, warmUp] = numbers.map(Number)
const bytes = readFileSync(file)
const trace = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
const value = 'x'.repeat(valueBytes)

const hits = { l1: 0, l2: 0 }
let loads = 0
const emitter = {
  on() {},
  once() {},
  off() {},
  emit(event, data) {
    if (event === 'cache:hit') hits[data.layer] += 1
  },
}

const connection = new Redis({ host: '127.0.0.1', port })
const cache = new BentoCache({
  default: 'both',
  emitter,
  stores: {
    // As it comes: unserialised values in the first tier fail in 1.6.1 when one is read from the second.
    both: bentostore()
      .useL1Layer(memoryDriver({ maxItems: entries }))
      .useL2Layer(redisDriver({ connection })),
  },
})

const key = (number) => `profile:00000000-0000-7000-8000-${String(number).padStart(12, '0')}`
const factory = () => {
  loads += 1
  return value
}

async function play(from, to) {
  let next = from
  const reader = async () => {
    while (next < to) {
      const found = await cache.getOrSet({ key: key(trace[next++]), ttl: '24h', factory })
      if (found.length !== valueBytes) throw new Error('not what was stored')
    }
  }
  await Promise.all(Array.from({ length: atOnce }, reader))
}

await play(0, warmUp)
hits.l1 = hits.l2 = loads = 0
const begun = process.hrtime.bigint()
await play(warmUp, trace.length)
const seconds = Number(process.hrtime.bigint() - begun) / 1e9
process.stdout.write(JSON.stringify({ seconds, ...hits, loads }))
await connection.quit()
