declare module 'pgpass' {
  /** Looks a password up in `~/.pgpass` (`PGPASSFILE`), if others cannot read that file. */
  export default function pgpass(
    connection: { host: string; port: number; database: string | undefined; user: string | undefined },
    found: (password: string | undefined) => void,
  ): void;
}
