#!/bin/sh
# Makes the secrets of an installation on one host, a file each: secrets.sh FOLDER DATABASE_HOST:PORT BROKER_HOST:PORT
#
# What is there stays as it is, so it can be run again after an upgrade. `databases.sql` makes the databases and
# their users, `broker.conf` the broker's. Keep a copy of the folder away from this host: a backup of a database
# without its master key is worth nothing.
set -eu
umask 077

folder=$1 database=$2 broker=$3
mkdir -p "$folder"
cd "$folder"

# Files are readable for whoever is let into the folder, which nobody but its owner is: a container reads single
# ones under a user of its own.
keep() {
    [ -e "$1" ] || { cat > "$1.new" && chmod 0444 "$1.new" && mv "$1.new" "$1"; }
}

for name in cloud-core-password push-core-password enrollment-core-client-secret \
    cloud-push-password enrollment-push-client-secret administrator-password \
    database-password backup-password; do
    openssl rand -hex 24 | keep "$name"
done
for name in core-master-encryption-key push-master-encryption-key; do
    openssl rand -base64 16 | keep "$name"
done
openssl rand -base64 32 | keep cloud-offline-derivation-key

for name in core cloud push; do
    password=$(openssl rand -hex 24)
    echo "postgresql://$name:$password@$database/$name" | keep "$name-database-url"
    # The same user at the copy into which a backup is restored to be checked.
    sed "s|/$name\$|/${name}_check|" "$name-database-url" | keep "$name-check-database-url"
done
password_in() {
    sed 's|.*://[^:]*:\([^@]*\)@.*|\1|' "$1"
}

{
    for name in core cloud push; do
        echo "CREATE ROLE $name LOGIN PASSWORD '$(password_in "$name-database-url")';"
        echo "CREATE DATABASE $name OWNER $name;"
        echo "REVOKE ALL ON DATABASE $name FROM PUBLIC;"
    done
    # Who backs them up may do what their owners may, and make the copies that a backup is restored into.
    echo "CREATE ROLE backup LOGIN CREATEDB PASSWORD '$(cat backup-password)';"
    echo "GRANT core, cloud, push TO backup;"
} | keep databases.sql

echo "amqp://powerauth:$(openssl rand -hex 24)@$broker/" | keep bus-url
{
    echo "default_user = powerauth"
    echo "default_pass = $(password_in bus-url)"
} | keep broker.conf
