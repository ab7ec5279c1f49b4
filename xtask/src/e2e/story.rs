//! The stories.

mod confined;
mod fleet;
mod fleet_faults;
mod fleet_kills;
mod interrupted;
mod kill;
mod moving;
mod outage;
mod page;
mod recovery;
mod rolling;
mod runbook;
pub mod setup;
mod together;
mod upgrade;
mod vendor;
mod volumes;

use super::world::World;
use crate::run::Result;

/// A story: it fails where something is not as it has to be.
pub struct Story {
    pub number: u8,
    pub name: &'static str,
    pub what: &'static str,
    pub play: fn(&World<'_>) -> Result<()>,
}

/// In the order in which they are started: the long ones first.
const STORIES: &[Story] = &[
    Story {
        number: 16,
        name: "runbook",
        what: "the runbook's remedies, typed as they stand in front of the compose file",
        play: runbook::runbook,
    },
    Story {
        number: 12,
        name: "kill-softhsm",
        what: "SIGKILL at random moments of a start, SoftHSM: the next start is ready",
        play: kill::softhsm,
    },
    Story {
        number: 12,
        name: "kill-software",
        what: "SIGKILL at random moments of a start, software: the next start is ready",
        play: kill::software,
    },
    Story {
        number: 21,
        name: "fleet-kills",
        what: "SIGKILL of three nodes while they start: one installation, all ready, no key lost",
        play: fleet_kills::fleet_kills,
    },
    Story {
        number: 20,
        name: "fleet-faults",
        what: "a node cut off, the server restarted, its standby promoted: ready, nothing lost",
        play: fleet_faults::fleet_faults,
    },
    Story {
        number: 19,
        name: "fleet-upgrade",
        what: "three nodes to a later version, one by one: the others run on, and are named",
        play: fleet::upgrade,
    },
    Story {
        number: 18,
        name: "fleet",
        what: "three nodes on PostgreSQL by compose.fleet.yaml: two join; the KEK of one is rotated",
        play: fleet::fleet,
    },
    Story {
        number: 22,
        name: "moving",
        what: "from SQLite to PostgreSQL and back, typed as docs/moving.md has it",
        play: moving::moving,
    },
    Story {
        number: 9,
        name: "together",
        what: "two starts at the same moment: one works, one waits, one credential",
        play: together::together,
    },
    Story {
        number: 10,
        name: "interrupted",
        what: "setup killed in each wizard state: setup page again, setup goes through",
        play: interrupted::interrupted,
    },
    Story {
        number: 13,
        name: "rolling",
        what: "tls renew and tls import under load: no handshake fails",
        play: rolling::rolling,
    },
    Story {
        number: 4,
        name: "outage",
        what: "SoftHSM stopped or paused: bounded wait, 69, nothing changed; back: ready",
        play: outage::outage,
    },
    Story {
        number: 15,
        name: "tcp",
        what: "the token over TCP with mutual TLS",
        play: outage::tcp,
    },
    Story {
        number: 17,
        name: "vendor",
        what: "another token by compose.kryoptic.yaml: ready; pulled out: 69; a second one: recover",
        play: vendor::vendor,
    },
    Story {
        number: 23,
        name: "page",
        what: "setup and recovery in a browser, on the image's own page; the same process is nginx then",
        play: page::page,
    },
    Story {
        number: 5,
        name: "token-lost",
        what: "the token's volume lost: recovery page, and the backup password brings it back",
        play: recovery::token_lost,
    },
    Story {
        number: 6,
        name: "all-lost",
        what: "everything lost but a backup file: back to the first certificate",
        play: recovery::all_lost,
    },
    Story {
        number: 8,
        name: "upgrade",
        what: "a later version: snapshot, ready; the old one: 12; the snapshot: ready",
        play: upgrade::upgrade,
    },
    Story {
        number: 7,
        name: "volumes",
        what: "a new wizard state: ready; the database not mounted: 65",
        play: volumes::volumes,
    },
    Story {
        number: 11,
        name: "physical",
        what: "physical_hsm: 13, no nginx, nothing changed",
        play: volumes::physical,
    },
    Story {
        number: 14,
        name: "confined",
        what: "unprivileged, read-only, no secret in inspect, logs and process list",
        play: confined::confined,
    },
    Story {
        number: 1,
        name: "fresh",
        what: "a fresh node serves the setup page with the certificate of its log",
        play: setup::fresh,
    },
    Story {
        number: 2,
        name: "software",
        what: "software setup, restart: ready, the same certificate",
        play: setup::software,
    },
    Story {
        number: 3,
        name: "softhsm",
        what: "SoftHSM setup through p11-kit, restart: ready; no key in the clear in the database",
        play: setup::softhsm,
    },
];

impl Story {
    pub fn all() -> &'static [Self] {
        STORIES
    }

    /// By number or name; two stories can have one number.
    pub fn find(name: &str) -> Vec<&'static Self> {
        STORIES
            .iter()
            .filter(|story| story.name == name || story.number.to_string() == name)
            .collect()
    }

    pub fn list() -> String {
        let mut rows: Vec<_> = STORIES.iter().collect();
        rows.sort_by_key(|story| story.number);
        rows.iter()
            .map(|story| format!("  {:>2} {:<13} {}\n", story.number, story.name, story.what))
            .collect()
    }
}
