#!/usr/bin/env bash
# Installs what the tests need and this machine lacks. The product itself needs
# none of it: PostgreSQL for the storage tests, a C compiler for the race
# detector, strace for the test that the sync comes before the answer, slapd for
# log-ins by a directory, Chromium (and a font with Chinese characters) for the
# pages, HAProxy to read the example configurations, Dovecot for the long tests.
set -euo pipefail

need=()
postgres() { command -v postgres || ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null | tail -n 1; }
[ -n "$(postgres)" ] || need+=(postgresql)
command -v cc >/dev/null || command -v gcc >/dev/null || need+=(gcc libc6-dev)
command -v strace >/dev/null || need+=(strace)
# The sign-in tests start a directory of their own.
[ -x /usr/sbin/slapd ] || need+=(slapd)
command -v chromium >/dev/null || [ -x "${CHROMIUM:-}" ] || need+=(chromium fonts-noto-cjk)
# The documentation's examples are run as they stand.
for tool in curl jq openssl python3; do command -v "$tool" >/dev/null || need+=("$tool"); done
# It reads the configurations in deploy/; the long tests run it.
command -v haproxy >/dev/null || [ -x /usr/sbin/haproxy ] || need+=(haproxy)
# The long tests fetch mails from a real Dovecot; they start their own.
[ -z "${CASEMATE_LONG:-}" ] || command -v dovecot >/dev/null || [ -x /usr/sbin/dovecot ] || need+=(dovecot-imapd)
# And they run deploy/ha: three PostgreSQL under Patroni and etcd, PgBouncer in front.
if [ -n "${CASEMATE_LONG:-}" ]; then
  command -v patroni >/dev/null || need+=(patroni)
  command -v etcd >/dev/null || need+=(etcd-server)
  command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || need+=(pgbouncer)
fi
[ ${#need[@]} -eq 0 ] && exit 0

echo "installing: ${need[*]}"
sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)
if command -v apt-get >/dev/null; then
  # The package would start a server of its own; the tests start theirs.
  if [[ " ${need[*]} " == *" postgresql "* ]]; then
    "${sudo[@]}" mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
      echo "create_main_cluster = false" | "${sudo[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
  fi
  if [[ " ${need[*]} " == *" slapd "* ]]; then
    echo "slapd slapd/no_configuration boolean true" | "${sudo[@]}" debconf-set-selections
  fi
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
elif command -v dnf >/dev/null; then
  need=("${need[@]/libc6-dev/glibc-devel}")
  "${sudo[@]}" dnf install -y -q "${need[@]/slapd/openldap-servers}"
else
  echo "install these and try again: ${need[*]}" >&2
  exit 1
fi
