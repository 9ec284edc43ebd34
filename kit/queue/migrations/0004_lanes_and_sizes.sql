-- Only the first unfinished job of a lane is claimable; and how many bytes of jobs wait.

-- How many bytes the payload and what follows have.
alter table queue_jobs add column size integer not null default 0;

-- Those behind the first one of their lane are in a state of their own, so that a claim never looks at them.
update queue_jobs set state = 'behind' where lane is not null and state in ('pending', 'scheduled') and exists
    (select 1 from queue_jobs as earlier where earlier.queue = queue_jobs.queue and earlier.lane = queue_jobs.lane
     and earlier.lane is not null and earlier.ended_at is null and earlier.lane_number < queue_jobs.lane_number);

-- What waits is counted in these indexes alone, sizes included.
drop index queue_jobs_pending;
create index queue_jobs_pending on queue_jobs (queue, priority desc, run_at, id, size) where state = 'pending';
drop index queue_jobs_scheduled;
create index queue_jobs_scheduled on queue_jobs (queue, run_at, size) where state = 'scheduled';
create index queue_jobs_behind on queue_jobs (queue, lane, lane_number, size) where state = 'behind';
