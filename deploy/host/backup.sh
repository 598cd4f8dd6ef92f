#!/bin/sh
# Backups of the databases core, cloud and push, each proved by a restore: backup.sh dump|finish|restore FOLDER
#
# `dump` writes FOLDER/DATE/NAME.dump and restores each into the database NAME_check; between the two runs
# `powerauth backup check NAME --all` proves that it opens with the keys; `finish` drops the copies and deletes
# folders of backups older than BACKUP_KEEP_DAYS (30). `restore` puts one backup, FOLDER/DATE, in the place of the
# databases, which are kept under another name; nobody may be connected to them. Whose server it is say PostgreSQL's own variables
# (PGHOST, PGUSER, PGPASSWORD or PGPASSWORD_FILE); secrets.sh makes a user for it.
set -eu
umask 077

verb=$1 folder=$2
databases=${BACKUP_DATABASES:-core cloud push}
export PGDATABASE="${PGDATABASE:-postgres}"
if [ -n "${PGPASSWORD_FILE:-}" ]; then
    PGPASSWORD=$(cat "$PGPASSWORD_FILE")
    export PGPASSWORD
fi

sql() {
    for statement in "$@"; do
        set -- "$@" --command "$statement"
        shift
    done
    psql --quiet --set ON_ERROR_STOP=1 "$@"
}

drop_copy() {
    sql "DROP DATABASE IF EXISTS ${1}_check"
}

# load NAME OWNER FILE: a dump into a new database.
load() {
    sql "CREATE DATABASE $1 OWNER $2" "REVOKE ALL ON DATABASE $1 FROM PUBLIC"
    pg_restore --exit-on-error --no-owner --role "$2" --dbname "$1" "$3"
}

case $verb in
dump)
    made=$folder/$(date -u +%Y%m%dT%H%M%SZ)
    mkdir -p "$made.new"
    for name in $databases; do
        pg_dump --format custom --file "$made.new/$name.dump" "$name"
        drop_copy "$name"
        load "${name}_check" "$name" "$made.new/$name.dump"
    done
    mv "$made.new" "$made"
    echo "$made"
    ;;
finish)
    for name in $databases; do
        drop_copy "$name"
    done
    find "$folder" -mindepth 1 -maxdepth 1 -type d -name '20*' -mtime "+${BACKUP_KEEP_DAYS:-30}" \
        -exec rm -rf {} +
    ;;
restore)
    moment=$(date -u +%Y%m%dt%H%M%Sz)
    for name in $databases; do
        sql "ALTER DATABASE $name RENAME TO ${name}_$moment"
        load "$name" "$name" "$folder/$name.dump"
    done
    ;;
*)
    echo "backup.sh dump|finish|restore FOLDER" >&2
    exit 2
    ;;
esac
