//! kill -9 of workers, servers and the database at random moments, over a stream of jobs that write to a
//! table: every committed job's effect is in it once, none is lost, none stays behind.

mod processes;
mod stream;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pando_clock::Clock;
use pando_database::testing::{TestDatabase, TestPostgres};

use processes::{Doomed, Place, Role, variable};
use stream::Stream;

/// How many times something is killed: enough to see a mistake that is easily made, and enough to trust it.
const ROUNDS: (u64, u64) = (12, 1_000);
/// Nothing happens between two kills for at most this long, in milliseconds.
const PAUSE_MS_MAX: u64 = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prove_every_effect_happens_once_however_often_processes_are_killed_on_sqlite() {
    let test = TestDatabase::sqlite();
    let place = Place::on(&test);
    House::open(place, test, None).await.survive().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prove_every_effect_happens_once_whoever_is_killed_on_postgresql() {
    // Flushes of the disk are of no use against kill -9: what was written is with the kernel. Recovery is the real one.
    let postgres = TestPostgres::start(&["fsync=off"]);
    let test = TestDatabase::on(&postgres).await;
    let place = Place::on(&test);
    House::open(place, test, Some(postgres)).await.survive().await;
}

/// Who can be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Worker,
    Server,
    Database,
}

/// Everything that is killed, and what it works on.
struct House {
    stream: Stream,
    postgres: Option<TestPostgres>,
    /// The one that enqueues, then those that work.
    processes: Vec<(Role, Doomed)>,
    place: Place,
    chance: Chance,
    killed: BTreeMap<Victim, u64>,
}

impl House {
    async fn open(place: Place, test: TestDatabase, postgres: Option<TestPostgres>) -> Self {
        let stream = Stream::open(test, &place).await;
        let processes = [Role::Server, Role::Worker, Role::Worker];
        let processes = processes.map(|role| (role, Doomed::start(role, &place))).into();
        Self { stream, postgres, processes, place, chance: Chance::new(), killed: BTreeMap::new() }
    }

    async fn survive(mut self) {
        let rounds = if variable("PANDO_PROVE").is_some() { ROUNDS.1 } else { ROUNDS.0 };
        let began = Instant::now();
        for _ in 0..rounds {
            // A random moment: what is waited for is nothing but that it comes.
            tokio::time::sleep(Duration::from_millis(self.chance.below(PAUSE_MS_MAX))).await;
            let victim = self.draw();
            self.kill(victim);
            *self.killed.entry(victim).or_default() += 1;
            self.stream.nothing_is_overdue().await;
        }
        let took = began.elapsed();
        // No more jobs; whoever works finishes what there is.
        self.processes.remove(0).1.kill();
        let seen = self.stream.every_effect_happened_once().await;
        for (_, process) in self.processes {
            process.kill();
        }
        let (seed, killed) = (self.chance.seed, self.killed);
        eprintln!("seed {seed}: {rounds} rounds in {took:?}, killed {killed:?}; {seen}");
    }

    fn draw(&mut self) -> Victim {
        match self.chance.below(20) {
            0..8 => Victim::Worker,
            8..14 => Victim::Server,
            _ if self.postgres.is_none() => Victim::Worker,
            _ => Victim::Database,
        }
    }

    fn kill(&mut self, victim: Victim) {
        match victim {
            Victim::Server => self.replace(0),
            Victim::Worker => {
                let place = 1 + usize::try_from(self.chance.below(2)).unwrap();
                self.replace(place);
            }
            Victim::Database => {
                let postgres = self.postgres.as_ref().unwrap();
                postgres.kill();
                postgres.resurrect();
            }
        }
    }

    fn replace(&mut self, place: usize) {
        let (role, process) = self.processes.remove(place);
        process.kill();
        self.processes.insert(place, (role, Doomed::start(role, &self.place)));
    }
}

/// Draws that are the same again for the same seed: SplitMix64.
struct Chance {
    seed: u64,
    state: u64,
}

impl Chance {
    /// The short form always draws the same, the long one something else each time, unless it is told.
    fn new() -> Self {
        let told = variable("PANDO_PROVE_SEED").map(|seed| seed.parse().unwrap());
        let fresh = || Clock::system().fresh_id().as_u64_pair().1;
        let seed = told.unwrap_or_else(|| if variable("PANDO_PROVE").is_some() { fresh() } else { 1 });
        eprintln!("seed {seed}: PANDO_PROVE_SEED draws the same again");
        Self { seed, state: seed }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
