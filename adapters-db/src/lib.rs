//! The database port on SQLite: classification, migrations, repositories, sealing, snapshots.
