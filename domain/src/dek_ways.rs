//! The ways to the DEK, and the one rule about its last copy.
//!
//! A DEK is had from the wrapped one by the KEK, from the one under the backup password, or from
//! the cache. Whoever is about to remove or replace a way asks [`DekWays::fate`] first, and
//! whoever says what to do next asks [`DekWays::way_back`].

/// What the DEK cache holds, against the check value in the database.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CacheCopy {
    /// No file.
    Absent,
    /// The DEK that the database says it is sealed under.
    Ours,
    /// A file that is not trusted (its owner, mode or length), so that nobody looked into it.
    Untrusted,
    /// A DEK that the check value does not know: another database's, or the check value is what is
    /// damaged.
    Unknown,
}

impl CacheCopy {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Absent, Self::Ours, Self::Untrusted, Self::Unknown];
}

/// What is about to happen to the cached DEK.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CacheEvent {
    /// The node turns out not to be ready, and a DEK does not stay cached on one (C22).
    NotReady,
    /// A database with another DEK takes the place of this one, which is kept as a snapshot.
    OtherDatabase,
    /// A new DEK is made in place of this database's.
    NewDek,
}

impl CacheEvent {
    /// All three.
    pub const ALL: [Self; 3] = [Self::NotReady, Self::OtherDatabase, Self::NewDek];
}

/// What becomes of the cached DEK.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CacheFate {
    /// It may go: nothing is lost with it.
    Drop,
    /// It stays: it may be the last copy, and nothing that goes on needs it gone.
    Keep,
    /// What was to happen must not: it would lose what may be the last copy, and first there is
    /// something to be done about that.
    Refuse,
}

/// What to do where the KEK does not give the DEK.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum WayBack {
    /// The cache has it: wrap it with a new KEK, before anything is restarted.
    RotateKek,
    /// The backup password brings it back.
    Recover,
    /// The cache may have it: put the file right first.
    RepairCache,
    /// The old token alone, or a backup that has a backup password.
    OldToken,
}

/// Whether the plain DEK is accessible: in the cache, or unwrapped just now by the KEK.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum DekCacheState {
    /// Accessible.
    Cached,
    /// Out of reach.
    NotCached,
}

impl DekCacheState {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Cached, Self::NotCached];

    /// The reference's spelling.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cached => "CACHED",
            Self::NotCached => "NOT_CACHED",
        }
    }
}

/// What is known of the KEK on the token.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KekState {
    /// It is there, and unwrapped the DEK just now.
    Unwraps,
    /// It is there, and was not asked, or has nothing to unwrap.
    OnToken,
    /// Looked for on a token that answered, and not there.
    Absent,
    /// Nobody looked, or nothing answered (C3).
    Unknown,
}

impl KekState {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Unwraps, Self::OnToken, Self::Absent, Self::Unknown];

    /// Whether the token holds it; `None` where that is not known: an unreachable token says
    /// nothing about the keys on it (C3).
    #[must_use]
    pub const fn is_on_token(self) -> Option<bool> {
        match self {
            Self::Unwraps | Self::OnToken => Some(true),
            Self::Absent => Some(false),
            Self::Unknown => None,
        }
    }
}

/// Whose copy of the DEK an operator wants to have forgotten.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Forgotten {
    /// That of a token that is away.
    OfAnother,
    /// That of the token in use.
    InUse,
}

/// The ways to the DEK of one database, as far as they are known.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct DekWays {
    /// The KEK on the token.
    pub kek: KekState,
    /// Whether the database has a DEK under a backup password, in a valid form.
    pub has_backup_password: bool,
    /// The cache.
    pub cache: CacheCopy,
}

impl DekWays {
    /// Whether the DEK is accessible: unwrapped just now, or in the cache.
    #[must_use]
    pub const fn is_dek_cached(self) -> bool {
        matches!(self.kek, KekState::Unwraps) || matches!(self.cache, CacheCopy::Ours)
    }

    /// The same under the reference's name.
    #[must_use]
    pub const fn dek_cache_state(self) -> DekCacheState {
        if self.is_dek_cached() {
            DekCacheState::Cached
        } else {
            DekCacheState::NotCached
        }
    }

    /// Whether the old KEK is lost and the backup password can bring the DEK back. The wizard is
    /// not asked: its state may be wrong after a restored backup.
    #[must_use]
    pub const fn is_new_kek_scenario(self) -> bool {
        !self.is_dek_cached() && matches!(self.kek, KekState::Absent) && self.has_backup_password
    }

    /// The rule: the cached DEK goes only where another way is proven. That the KEK unwraps it is
    /// proof for everything. A backup password that somebody has to know still is proof enough
    /// where the operator replaces the database, whose snapshot keeps what it opens; it is none
    /// where a start decides by itself.
    #[must_use]
    pub const fn fate(self, event: CacheEvent) -> CacheFate {
        use CacheCopy as Copy;
        use CacheEvent as Event;
        if matches!(self.kek, KekState::Unwraps) {
            return CacheFate::Drop;
        }
        match (event, self.cache) {
            (Event::NewDek, _) if self.has_backup_password => CacheFate::Refuse,
            (_, Copy::Absent) => CacheFate::Drop,
            (Event::NotReady, _) | (Event::OtherDatabase, Copy::Unknown) => CacheFate::Keep,
            (Event::OtherDatabase, Copy::Ours | Copy::Untrusted) => {
                if self.has_backup_password {
                    CacheFate::Drop
                } else {
                    CacheFate::Refuse
                }
            }
            (Event::NewDek, Copy::Ours | Copy::Untrusted | Copy::Unknown) => CacheFate::Refuse,
        }
    }

    /// Whether the copy of a token may be forgotten. That of another one may where the DEK is left:
    /// the token in use unwraps it, or a backup password is set that somebody has to know still. A
    /// copy in use is no proof of itself, and the cache is gone with the next restart: then only
    /// a password that was proven will do.
    #[must_use]
    pub const fn may_forget(self, which: Forgotten, is_password_proven: bool) -> bool {
        match which {
            _ if is_password_proven => true,
            Forgotten::InUse => false,
            Forgotten::OfAnother => {
                matches!(self.kek, KekState::Unwraps) || self.has_backup_password
            }
        }
    }

    /// What to do next where the KEK does not unwrap it. Nothing that this names can lose it.
    #[must_use]
    pub const fn way_back(self) -> WayBack {
        match self.cache {
            CacheCopy::Ours => WayBack::RotateKek,
            _ if self.has_backup_password => WayBack::Recover,
            CacheCopy::Untrusted => WayBack::RepairCache,
            CacheCopy::Absent | CacheCopy::Unknown => WayBack::OldToken,
        }
    }

    /// Whether the cache alone has it for certain, now that the KEK does not give it.
    #[must_use]
    pub const fn is_in_cache_alone(self) -> bool {
        matches!((self.kek, self.cache), (KekState::Absent, CacheCopy::Ours))
    }
}
