//! File descriptors for as many clients as may come: systems grant few unless asked.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For the database, brokers, platforms and the rest.
const FOR_OTHERS: u64 = 200;

/// Asks the system for enough, and says so in the log if it does not give them.
pub fn provide(clients: usize) {
    let needed = FOR_OTHERS + clients as u64;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return;
    }
    let granted = limit.maximum.unwrap_or(needed).min(needed);
    let asked = Rlimit {
        current: Some(granted),
        ..limit
    };
    let raised = setrlimit(Resource::Nofile, asked).is_ok();
    if !raised || granted < needed {
        tracing::warn!(
            "The system allows {} open files; for {clients} SMTP clients at a time {needed} are needed. Raise \
             LimitNOFILE= in the unit (ulimit -n), or lower smtp.max_connections.",
            limit.maximum.unwrap_or(granted)
        );
    }
}
