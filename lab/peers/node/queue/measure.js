// Puts a queue through what all of them are put through, and prints the figures as JSON.
//
// A peer has: add(number), addMany(numbers), work(handler) for many jobs, settled(): whether no job is unfinished,
// addProbe(number) and workProbes(handler) for one job at a time, close().
const BATCH = 500
const CALLERS = 16

const now = () => Number(process.hrtime.bigint()) / 1e6
const pause = (ms) => new Promise((done) => setTimeout(done, ms))

async function singly(peer, count) {
  let next = 0
  const begun = now()
  const caller = async () => {
    while (next < count) await peer.add(next++)
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  return (count * 1000) / (now() - begun)
}

async function inBulk(peer, count) {
  const begun = now()
  for (let first = 0; first < count; first += BATCH) {
    await peer.addMany(Array.from({ length: BATCH }, (_, number) => first + number))
  }
  return (count * 1000) / (now() - begun)
}

// From the first job's start until no job is unfinished.
async function completed(peer, count) {
  let ran = 0
  let begun
  await new Promise((all, failed) => {
    const handler = () => {
      begun ??= now()
      if (++ran === count) all()
    }
    peer.work(handler).catch(failed)
  })
  while (!(await peer.settled())) await pause(2)
  return (count * 1000) / (now() - begun)
}

// From the call that adds a job to its start, and from its return: then the job is known to be stored. Nothing else
// goes on.
async function latencies(peer, probes) {
  let started
  await peer.workProbes((number) => started(number))
  const figures = []
  const waits = []
  for (let number = -10; number < probes; number += 1) {
    await pause(20)
    const begun = now()
    const start = new Promise((done) => (started = () => done(now())))
    const added = peer.addProbe(number).then(now)
    const [stored, begins] = await Promise.all([added, start])
    // The first ones find connections and plans missing.
    if (number < 0) continue
    figures.push(begins - begun)
    waits.push(Math.max(0, begins - stored))
  }
  return { latencies: figures, waits }
}

export async function measure(open) {
  const [place, ...numbers] = process.argv.slice(2)
  const [single, bulk, atOnce, probes] = numbers.map(Number)
  const peer = await open(place, atOnce)
  const seen = { single: await singly(peer, single), bulk: await inBulk(peer, bulk) }
  seen.completed = await completed(peer, single + bulk)
  Object.assign(seen, await latencies(peer, probes))
  process.stdout.write(JSON.stringify(seen), () => process.exit(0))
}
