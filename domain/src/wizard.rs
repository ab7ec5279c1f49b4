//! The setup wizard: its thirteen states, what they mean for selection, and the allowed moves.

use std::fmt;
use std::str::FromStr;

/// Whether setup was completed: all that selection asks of the wizard.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum WizardState {
    /// The node was set up.
    Completed,
    /// Setup has not been finished.
    Incomplete,
}

impl WizardState {
    /// Both values.
    pub const ALL: [Self; 2] = [Self::Completed, Self::Incomplete];

    /// The reference's spelling.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "COMPLETED",
            Self::Incomplete => "INCOMPLETE",
        }
    }
}

/// The name of the one file in the wizard state directory.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SetupWizardState {
    /// Choice of the storage: the first state, and the one an image ships with.
    SetupCryptoStorage,
    /// Token, PIN and KEK.
    SetupHsm,
    /// The token of a node whose setup had been completed is set up again.
    SetupHsmAutorestore,
    /// Fresh setup or restore.
    SetupMode,
    /// Choice of the TLS server credential.
    SelectTlsServerCredential,
    /// A backup is being restored.
    Restore,
    /// The chosen TLS server credential is put to use.
    TlsServerCredentialApply,
    /// The backup password wraps the DEK.
    BackupPassword,
    /// Demo data: belongs to the application.
    DemoData,
    /// Super user: belongs to the application.
    CreateSuperUser,
    /// Setup was completed.
    Completed,
    /// A completed node waits for its token.
    AutoRestoreHsm,
    /// A completed node waits for the backup password.
    AutoRestorePassword,
}

impl SetupWizardState {
    /// All thirteen, in the order of the specification.
    pub const ALL: [Self; 13] = [
        Self::SetupCryptoStorage,
        Self::SetupHsm,
        Self::SetupHsmAutorestore,
        Self::SetupMode,
        Self::SelectTlsServerCredential,
        Self::Restore,
        Self::TlsServerCredentialApply,
        Self::BackupPassword,
        Self::DemoData,
        Self::CreateSuperUser,
        Self::Completed,
        Self::AutoRestoreHsm,
        Self::AutoRestorePassword,
    ];

    /// The file name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SetupCryptoStorage => "WIZARD_SETUP_CRYPTO_STORAGE",
            Self::SetupHsm => "WIZARD_SETUP_HSM",
            Self::SetupHsmAutorestore => "WIZARD_SETUP_HSM_AUTORESTORE",
            Self::SetupMode => "WIZARD_SETUP_MODE",
            Self::SelectTlsServerCredential => "WIZARD_SELECT_TLS_SERVER_CREDENTIAL",
            Self::Restore => "WIZARD_RESTORE",
            Self::TlsServerCredentialApply => "WIZARD_TLS_SERVER_CREDENTIAL_APPLY",
            Self::BackupPassword => "WIZARD_BACKUP_PASSWORD",
            Self::DemoData => "WIZARD_DEMO_DATA",
            Self::CreateSuperUser => "WIZARD_CREATE_SUPER_USER",
            Self::Completed => "WIZARD_COMPLETED",
            Self::AutoRestoreHsm => "WIZARD_AUTO_RESTORE_HSM",
            Self::AutoRestorePassword => "WIZARD_AUTO_RESTORE_PASSWORD",
        }
    }

    /// The states that only a completed node enters (C2).
    #[must_use]
    pub const fn is_auto_restore(self) -> bool {
        matches!(
            self,
            Self::SetupHsmAutorestore | Self::AutoRestoreHsm | Self::AutoRestorePassword
        )
    }

    /// Whether the file alone says that the node was set up. The three auto-restore states count:
    /// a node that waits for its backup password must keep waiting over a restart (C2).
    #[must_use]
    pub const fn counts_as_completed(self) -> bool {
        matches!(self, Self::Completed) || self.is_auto_restore()
    }

    /// What selection uses, from the state directory and from the mark in the database.
    ///
    /// The mark wins, whatever the directory holds (C9): a replaced container, or a stray file,
    /// would otherwise offer an open setup page on a live node.
    #[must_use]
    pub const fn effective(raw: Option<Self>, setup_completed_mark: bool) -> WizardState {
        let said_here = match raw {
            None => false,
            Some(state) => state.counts_as_completed(),
        };
        if setup_completed_mark || said_here {
            WizardState::Completed
        } else {
            WizardState::Incomplete
        }
    }

    /// Whether the wizard may go from `from` (`None`: an empty directory) to `to`.
    ///
    /// Back to the first state and on to WIZARD_AUTO_RESTORE_PASSWORD lead ways from everywhere
    /// (C1), and so does the repair to WIZARD_COMPLETED (C9); staying is always allowed, so that a
    /// step can be repeated.
    #[must_use]
    pub fn may_move(from: Option<Self>, to: Self) -> bool {
        use SetupWizardState as S;
        if matches!(
            to,
            S::SetupCryptoStorage | S::AutoRestorePassword | S::Completed
        ) {
            return true;
        }
        let Some(from) = from else { return false };
        if from == to {
            return true;
        }
        match from {
            S::SetupCryptoStorage => matches!(to, S::SetupHsm | S::SetupMode),
            S::SetupHsm => matches!(to, S::SetupMode),
            S::SetupMode => matches!(to, S::SelectTlsServerCredential | S::Restore),
            S::SelectTlsServerCredential => matches!(to, S::TlsServerCredentialApply),
            S::TlsServerCredentialApply => matches!(to, S::BackupPassword | S::DemoData),
            S::BackupPassword => matches!(to, S::DemoData),
            S::DemoData => matches!(to, S::CreateSuperUser),
            S::Completed => matches!(to, S::AutoRestoreHsm | S::SetupHsmAutorestore),
            S::AutoRestoreHsm => matches!(to, S::SetupHsmAutorestore),
            S::SetupHsmAutorestore => matches!(to, S::AutoRestoreHsm),
            S::Restore | S::CreateSuperUser | S::AutoRestorePassword => false,
        }
    }
}

impl fmt::Display for SetupWizardState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SetupWizardState {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_thirteen_names_and_each_reads_back() {
        let names: std::collections::BTreeSet<_> = SetupWizardState::ALL
            .iter()
            .map(|state| state.name())
            .collect();
        assert_eq!(names.len(), 13);
        for state in SetupWizardState::ALL {
            assert_eq!(state.name().parse(), Ok(state));
        }
        assert!("wizard_completed".parse::<SetupWizardState>().is_err());
    }

    #[test]
    fn c01_the_backup_password_can_be_asked_for_from_every_state() {
        assert!(SetupWizardState::may_move(
            None,
            SetupWizardState::AutoRestorePassword
        ));
        for from in SetupWizardState::ALL {
            assert!(SetupWizardState::may_move(
                Some(from),
                SetupWizardState::AutoRestorePassword
            ));
        }
    }

    #[test]
    fn c02_the_auto_restore_states_count_as_completed() {
        for state in SetupWizardState::ALL {
            let expected = state.is_auto_restore() || state == SetupWizardState::Completed;
            assert_eq!(state.counts_as_completed(), expected, "{state}");
            assert_eq!(
                SetupWizardState::effective(Some(state), false) == WizardState::Completed,
                expected,
                "{state}"
            );
        }
    }

    #[test]
    fn c09_the_mark_wins_whatever_the_directory_holds() {
        for raw in SetupWizardState::ALL.map(Some).into_iter().chain([None]) {
            assert_eq!(
                SetupWizardState::effective(raw, true),
                WizardState::Completed,
                "{raw:?}"
            );
            assert!(
                SetupWizardState::may_move(raw, SetupWizardState::Completed),
                "{raw:?} can be repaired"
            );
        }
        assert_eq!(
            SetupWizardState::effective(None, false),
            WizardState::Incomplete
        );
    }

    #[test]
    fn every_state_is_reached_from_the_first_and_leads_to_the_end() {
        fn reachable(from: SetupWizardState) -> Vec<SetupWizardState> {
            let mut seen = vec![from];
            let mut next = 0;
            while let Some(&state) = seen.get(next) {
                for to in SetupWizardState::ALL {
                    if SetupWizardState::may_move(Some(state), to) && !seen.contains(&to) {
                        seen.push(to);
                    }
                }
                next += 1;
            }
            seen
        }
        assert_eq!(reachable(SetupWizardState::SetupCryptoStorage).len(), 13);
        for state in SetupWizardState::ALL {
            assert!(
                reachable(state).contains(&SetupWizardState::Completed),
                "{state}"
            );
        }
    }

    #[test]
    fn setup_cannot_skip_a_state() {
        use SetupWizardState as S;
        for (from, to) in [
            (S::SetupCryptoStorage, S::BackupPassword),
            (S::SetupMode, S::TlsServerCredentialApply),
            (S::SetupHsm, S::BackupPassword),
            (S::Completed, S::SetupMode),
        ] {
            assert!(!S::may_move(Some(from), to), "{from} to {to}");
        }
        assert!(!S::may_move(None, S::SetupMode));
    }
}
