#!/bin/sh
# make-secrets.sh [FOLDER]: makes what compose.yaml mounts as secrets, for a trial on one machine. It needs openssl, and `troupe certs dev`.
# In production your own authority and your own store of secrets make these files. Run it again for new tokens: each replaces its own line, and
# the host reads the file again. TROUPE names the command line; by default it is the one of the image.
set -eu
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
umask 077
if [ ! -e "$folder/host.crt" ]; then
  # The image's user writes into the folder, too.
  ${TROUPE:-docker run --rm --user "$(id -u)" --volume "$folder:$folder" --workdir "$folder" troupe} \
    certs dev --folder "$folder" --host host,localhost,127.0.0.1 --worker worker
fi
[ -e "$folder/postgres-password" ] || openssl rand -hex 24 >"$folder/postgres-password"
[ -e "$folder/grafana-password" ] || openssl rand -hex 12 >"$folder/grafana-password"
: >"$folder/tokens.new"
for principal in greeter:worker french-greeter:worker prometheus:monitor; do
  name=${principal%%:*}
  openssl rand -hex 32 >"$folder/$name.token"
  # The list has digests alone: who reads it has no token.
  digest=$(tr -d '\n' <"$folder/$name.token" | openssl dgst -sha256 -r | cut -d ' ' -f 1)
  echo "$name sha256:$digest ${principal##*:}" >>"$folder/tokens.new"
done
# The same file, as it is mounted: a new one in its place would not be seen inside the containers.
cat "$folder/tokens.new" >"$folder/tokens"
rm "$folder/tokens.new"
# The users of the images are others than yours. Only you enter the folder.
chmod 700 "$folder"
chmod 644 "$folder"/*.crt "$folder"/host.key "$folder"/*.token "$folder"/tokens "$folder"/*-password
echo "the secrets are in $folder"
