"""The tables. A lane holds what one user has waiting from one endpoint at one priority; the lane that was served
longest ago is next, so that nobody's jobs wait behind all of another's. Times are in seconds since 1970. A lane's
`not_before` is 0 where it takes part in the round; `held` is 1 where what is submitted to it waits for that time too.

lines: how many jobs of each user are queued at each priority; of user '' those of all, and of how many users. numbers:
the last turn that was taken in the round (`turn`), the average run in seconds (`run_s`), the kept responses and their
bytes (`entries`, `entry_bytes`), the bytes of all jobs' requests, results and events (`job_bytes`; not of a job's first
changes of status).
places: the model at which a running job holds one of the places that `max_concurrency` allows. workers: when each was
last seen."""

# Table, column and type of those that a file of before lacks.
COLUMNS_ADDED = (("jobs", "since", "REAL"), ("lanes", "held", "INTEGER NOT NULL DEFAULT 0"))

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, user TEXT NOT NULL,
  endpoint TEXT NOT NULL, priority INTEGER NOT NULL, spec BLOB NOT NULL, secret TEXT NOT NULL, idempotency_key TEXT,
  digest TEXT NOT NULL, webhook_url TEXT NOT NULL, status TEXT NOT NULL, created REAL NOT NULL, since REAL,
  started REAL, ended REAL, expires REAL, not_before REAL NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
  deliveries INTEGER NOT NULL DEFAULT 0, token TEXT NOT NULL DEFAULT '', lease REAL NOT NULL DEFAULT 0,
  cancel INTEGER NOT NULL DEFAULT 0, result BLOB, head BLOB, error BLOB, hook TEXT NOT NULL DEFAULT '',
  hook_tries INTEGER NOT NULL DEFAULT 0, hook_at REAL NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS jobs_lane ON jobs (priority, user, endpoint, kind, seq, not_before) WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS jobs_since ON jobs (since) WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS jobs_running ON jobs (lease) WHERE status = 'running';
CREATE INDEX IF NOT EXISTS jobs_hooks ON jobs (hook_at) WHERE hook = 'pending';
CREATE INDEX IF NOT EXISTS jobs_expiring ON jobs (expires) WHERE expires IS NOT NULL;
CREATE INDEX IF NOT EXISTS jobs_users ON jobs (user);
CREATE UNIQUE INDEX IF NOT EXISTS jobs_keys ON jobs (user, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE TABLE IF NOT EXISTS lanes (
  priority INTEGER, user TEXT, endpoint TEXT, kind TEXT, turn INTEGER NOT NULL, not_before REAL NOT NULL DEFAULT 0,
  held INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (priority, user, endpoint, kind)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS lanes_open ON lanes (kind, priority DESC, turn) WHERE not_before = 0;
CREATE INDEX IF NOT EXISTS lanes_waiting ON lanes (not_before) WHERE not_before > 0;
CREATE TABLE IF NOT EXISTS events (
  job TEXT, number INTEGER, kind TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (job, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (
  key BLOB PRIMARY KEY, user TEXT NOT NULL, endpoint TEXT NOT NULL, packed BLOB NOT NULL, stored REAL NOT NULL,
  expires REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_expiring ON entries (expires);
CREATE INDEX IF NOT EXISTS entries_users ON entries (user);
CREATE TABLE IF NOT EXISTS lines (
  user TEXT, priority INTEGER, jobs INTEGER NOT NULL, users INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (user, priority)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS workers (name TEXT PRIMARY KEY, seen REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS places (job TEXT PRIMARY KEY, model TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS places_models ON places (model);
CREATE TRIGGER IF NOT EXISTS entry_in AFTER INSERT ON entries BEGIN
  UPDATE numbers SET value = value + 1 WHERE name = 'entries';
  UPDATE numbers SET value = value + length(NEW.packed) + length(CAST(NEW.user || NEW.endpoint AS BLOB))
    WHERE name = 'entry_bytes';
END;
CREATE TRIGGER IF NOT EXISTS entry_out AFTER DELETE ON entries BEGIN
  UPDATE numbers SET value = value - 1 WHERE name = 'entries';
  UPDATE numbers SET value = value - length(OLD.packed) - length(CAST(OLD.user || OLD.endpoint AS BLOB))
    WHERE name = 'entry_bytes';
END;
CREATE TRIGGER IF NOT EXISTS place_left AFTER UPDATE OF status ON jobs WHEN OLD.status = 'running' BEGIN
  DELETE FROM places WHERE job = OLD.id;
END;
CREATE TRIGGER IF NOT EXISTS place_gone AFTER DELETE ON jobs WHEN OLD.status = 'running' BEGIN
  DELETE FROM places WHERE job = OLD.id;
END;
CREATE TRIGGER IF NOT EXISTS user_in AFTER INSERT ON lines WHEN NEW.user <> '' BEGIN
  UPDATE lines SET users = users + 1 WHERE user = '' AND priority = NEW.priority;
END;
CREATE TRIGGER IF NOT EXISTS user_out AFTER DELETE ON lines WHEN OLD.user <> '' BEGIN
  UPDATE lines SET users = users - 1 WHERE user = '' AND priority = OLD.priority;
END;
CREATE TRIGGER IF NOT EXISTS line_in AFTER INSERT ON jobs WHEN NEW.status = 'queued' BEGIN
  INSERT INTO lines (user, priority, jobs) VALUES ('', NEW.priority, 1), (NEW.user, NEW.priority, 1)
    ON CONFLICT (user, priority) DO UPDATE SET jobs = jobs + 1;
END;
CREATE TRIGGER IF NOT EXISTS line_back AFTER UPDATE OF status ON jobs
WHEN OLD.status <> 'queued' AND NEW.status = 'queued'
BEGIN
  INSERT INTO lines (user, priority, jobs) VALUES ('', NEW.priority, 1), (NEW.user, NEW.priority, 1)
    ON CONFLICT (user, priority) DO UPDATE SET jobs = jobs + 1;
END;
CREATE TRIGGER IF NOT EXISTS line_left AFTER UPDATE OF status ON jobs
WHEN OLD.status = 'queued' AND NEW.status <> 'queued'
BEGIN
  UPDATE lines SET jobs = jobs - 1 WHERE user IN (NEW.user, '') AND priority = NEW.priority;
  DELETE FROM lines WHERE user = NEW.user AND priority = NEW.priority AND jobs <= 0;
END;
CREATE TRIGGER IF NOT EXISTS line_out AFTER DELETE ON jobs WHEN OLD.status = 'queued' BEGIN
  UPDATE lines SET jobs = jobs - 1 WHERE user IN (OLD.user, '') AND priority = OLD.priority;
  DELETE FROM lines WHERE user = OLD.user AND priority = OLD.priority AND jobs <= 0;
END;
CREATE TRIGGER IF NOT EXISTS job_in AFTER INSERT ON jobs BEGIN
  UPDATE numbers SET value = value + length(NEW.spec) WHERE name = 'job_bytes';
END;
CREATE TRIGGER IF NOT EXISTS job_ended AFTER UPDATE OF result ON jobs BEGIN
  UPDATE numbers SET value = value + coalesce(length(NEW.result), 0) - coalesce(length(OLD.result), 0)
    WHERE name = 'job_bytes';
END;
CREATE TRIGGER IF NOT EXISTS job_out AFTER DELETE ON jobs BEGIN
  UPDATE numbers SET value = value - length(OLD.spec) - coalesce(length(OLD.result), 0) WHERE name = 'job_bytes';
END;
CREATE TRIGGER IF NOT EXISTS event_in AFTER INSERT ON events WHEN NEW.kind = 'chunk' OR NEW.number > 20 BEGIN
  UPDATE numbers SET value = value + length(NEW.data) WHERE name = 'job_bytes';
END;
CREATE TRIGGER IF NOT EXISTS event_out AFTER DELETE ON events WHEN OLD.kind = 'chunk' OR OLD.number > 20 BEGIN
  UPDATE numbers SET value = value - length(OLD.data) WHERE name = 'job_bytes';
END;
CREATE TRIGGER IF NOT EXISTS events_out AFTER DELETE ON jobs BEGIN DELETE FROM events WHERE job = OLD.id; END;
DROP TRIGGER IF EXISTS count_in; DROP TRIGGER IF EXISTS count_moved; DROP TRIGGER IF EXISTS count_out;
DROP TABLE IF EXISTS waiting;
DROP INDEX IF EXISTS jobs_oldest; DROP INDEX IF EXISTS jobs_waiting; DROP INDEX IF EXISTS lanes_next;
BEGIN IMMEDIATE;
UPDATE jobs SET since = created WHERE status = 'queued' AND since IS NULL;
INSERT OR IGNORE INTO lines (user, priority, jobs)
  SELECT '', priority, 0 FROM jobs WHERE status = 'queued' AND NOT EXISTS (SELECT 1 FROM lines) GROUP BY priority;
INSERT OR IGNORE INTO lines (user, priority, jobs)
  SELECT user, priority, count(*) FROM jobs WHERE status = 'queued' AND NOT EXISTS
    (SELECT 1 FROM lines WHERE jobs > 0) GROUP BY user, priority;
UPDATE lines SET jobs = (SELECT count(*) FROM jobs AS j WHERE j.status = 'queued' AND j.priority = lines.priority)
  WHERE user = '' AND jobs = 0;
INSERT OR IGNORE INTO numbers
  SELECT 'entries', count(*) FROM entries WHERE NOT EXISTS (SELECT 1 FROM numbers WHERE name = 'entries');
INSERT OR IGNORE INTO numbers
  SELECT 'entry_bytes', coalesce(sum(length(packed) + length(CAST(user || endpoint AS BLOB))), 0)
  FROM entries WHERE NOT EXISTS (SELECT 1 FROM numbers WHERE name = 'entry_bytes');
INSERT OR IGNORE INTO numbers
  SELECT 'job_bytes', coalesce(sum(length(spec) + coalesce(length(result), 0)), 0)
    + (SELECT coalesce(sum(length(data)), 0) FROM events WHERE kind = 'chunk' OR number > 20)
  FROM jobs WHERE NOT EXISTS (SELECT 1 FROM numbers WHERE name = 'job_bytes');
COMMIT;
"""
