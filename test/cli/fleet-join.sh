#!/bin/bash
# Goal: machines join by tokens: each is valid once, for its lifetime, for its name; --replace
# denies the previous machine; a revoked machine is refused at once, and its name is free again.
. "$(dirname "$0")/lib.sh"
workspace
fleet

# Tokens are never arguments; the error for a malformed token does not repeat it.
! at a join fdump-token:2:abc 2>err || fail "a token as argument"
grep -q "a token can't be an argument" err || fail "$(cat err)"
! echo fdump-token:2:geheim | at a join - 2>err || fail "a malformed token"
! grep -q geheim err || fail "the message tells the token"

m1 token agent late --valid 1s >late.token 2>/dev/null
TZ=UTC m1 token agent a --valid 2h >token 2>err
until=$(sed -n "s/.*paste it into 'fdump join' on a; it can be used once, until //p" err)
[ $(($(date -d "$until" +%s) - $(date +%s))) -gt 7000 ] || fail "$(cat err)"
m1 token agent z --json | grep -q '"name":"z","until":1[0-9]*}' || fail "when it expires is missing in JSON"
status=0
m1 token operator b --keys keys --valid 2h 2>err || status=$?
[ $status = 2 ] && grep -q -- "--valid: at most 1h for this role (operator)" err || fail "$status $(cat err)"
at a join - <token >out
grep -q "^Joined as the agent a, by the manager m1" out || fail "$(cat out)"
grep -q "^Backups are sealed to the key $("$FDUMP" key show keys/backup.key.pub | sed -n 's/^key *//p')" out ||
	fail "$(cat out)"
cmp keys/backup.key.pub a/etc/recipients/*.pub
[ "$(cat a/var/agent/managers)" = "m1 127.0.0.1:$base" ] || fail "managers: $(cat a/var/agent/managers)"
[ "$(stat -c %a a/var/agent a/var/agent/key.pem | tr '\n' ' ')" = "700 600 " ] || fail "modes"
# The certificate is written last of all files: once it exists, the agent may start.
late=$(find a/var a/etc -type f ! -name agent.conf -newercc a/var/agent/cert.pem)
[ -z "$late" ] || fail "later than the certificate: $late"

# Refused tokens: used; joined already; mistyped; a byte of the secret changed; other public keys.
status=0
at b join - <token 2>err || status=$?
[ $status = 6 ] && grep -q "already used" err || fail "used: $status $(cat err)"
grep -q "warning: 127.0.0.1:.*may not join: token: already used" m1.log || fail "$(cat m1.log)"
[ "$(grep -c "already used" m1.log)" = 1 ] || fail "reported more than once: $(cat m1.log)"
[ ! -e b ] || fail "a refused one left files: $(find b)"
m1 token agent b >token 2>/dev/null
status=0
at a join - <token 2>err || status=$?
[ $status = 3 ] && grep -q "has joined a fleet" err || fail "twice: $status $(cat err)"
# change FIELD: prints the token with a byte of the field changed, and the right checksum.
change() {
	python3 - token "$1" <<'END'
import base64, hashlib, sys
head, text = open(sys.argv[1]).read().strip().rsplit(":", 1)
raw = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))[:-4]
raw[raw.index(sys.argv[2].encode()) + len(sys.argv[2]) + 2 + 5] ^= 1
raw += hashlib.sha256(raw).digest()[:4]
print(head + ":" + base64.urlsafe_b64encode(raw).decode().rstrip("="))
END
}
refused() { # STATUS MESSAGE: the token in `wrong` is refused, and leaves no files
	status=0
	at b join - <wrong 2>err || status=$?
	[ $status = "$1" ] && grep -q "$2" err || fail "wrong: $status $(cat err)"
	[ ! -e b ] || fail "left behind: $(find b)"
	! m1 hosts | grep -q "^agent *b " || fail "$(m1 hosts)"
}
mistyped="join: this token is mistyped or incomplete: copy all of it"
tr A B <token >wrong
refused 2 "$mistyped"
head -c -3 token >wrong
refused 2 "$mistyped"
sed 's/.$/_/' token >wrong
cmp -s token wrong || refused 2 "$mistyped"
change secret >wrong
refused 6 "not one of this manager's"
change recipients >wrong
refused 6 "other public keys than the token vouches for"
change ca >wrong
refused 6 "."
at b join - <token >/dev/null || fail "the right token is still valid"

# A name that is taken.
! m1 token agent a 2>err || fail "a second token of a"
grep -q "has joined already; --replace" err || fail "$(cat err)"
m1 token agent a --replace 2>/dev/null | at a2 join - >/dev/null
m1 hosts --json | grep -c '"name":"a","role":"agent".*"denied":false' >/dev/null || fail "$(m1 hosts)"
host() { openssl x509 -in "$1/var/agent/cert.pem" -noout -subject | grep -o '[0-9a-f]\{32\}'; }
if command -v openssl >/dev/null; then
	m1 hosts --json | grep -q "\"host\":\"$(host a2)\"" || fail "the new one is not the known one"
fi

# Stores join too; the store's directory is created.
m1 token store s1 2>/dev/null | at s1 join - --store "$work/s1/store" --listen "127.0.0.1:$((base + 1))" >out
[ -f s1/store/identity ] || fail "no store was made"
grep -q "listen = \"127.0.0.1:$((base + 1))\"" s1/etc/store.conf || fail "$(cat s1/etc/store.conf)"

# A directory with other files can't become a store.
mkdir other
touch other/file
m1 token store s2 2>/dev/null >token
status=0
at s2 join - --store "$work/other" --listen 127.0.0.1:1 <token >out 2>err || status=$?
[ ! -e s2/var/store/cert.pem ] || fail "the token was used up"
[ $status != 0 ] && [ ! -e s2/etc/store.conf ] && [ "$(ls other)" = file ] || fail "another directory as store: $(cat out err)"

# A refused token leaves nothing: neither a store nor its configuration.
m1 token store s3 >used 2>/dev/null
m1 token agent twice >two-agents 2>/dev/null
at s3 join - --store "$work/s3/store" --listen "127.0.0.1:$((base + 3))" <used >out
status=0
at s4 join - --store "$work/s4/deep/store" --listen "127.0.0.1:$((base + 4))" <used 2>err || status=$?
[ $status = 6 ] && [ ! -e s4 ] || fail "left behind: $status $(cat err) $(find s4)"
! at s4 join - --store "$work/s4/store" <two-agents 2>err || fail "an agent with a store"
grep -q -- "--store: not for the role of the token, agent" err || fail "$(cat err)"
status=0
at s4 join - </dev/null 2>err || status=$?
[ $status = 2 ] && grep -q "standard input is empty" err || fail "no token: $status $(cat err)"
# Errors in the options are reported before the token is used.
for listen in 7421 :7421; do
	! at s4 join - --store "$work/s4/store" --listen "$listen" <token 2>err || fail "a port alone"
	grep -q -- "--listen: '$listen' is not an address: write HOST or HOST:PORT" err || fail "$(cat err)"
done
at s4 join - --store "$work/s4/store" --listen "127.0.0.1:$base" <token 2>err && fail "a port that is taken"
grep -q "another program listens there; choose other ports with --listen" err || fail "$(cat err)"
[ ! -e s4 ] || fail "left behind: $(find s4)"
# Of two tokens for one name the second is refused.
m1 token agent twice >one 2>/dev/null
m1 token agent twice >two 2>/dev/null
at t1 join - <one >/dev/null
status=0
at t2 join - <two 2>err || status=$?
[ $status = 6 ] && grep -q "has joined already" err && [ ! -e t2 ] || fail "$status $(cat err)"

# Revoked.
m1 revoke agent a >out
grep -qx "m1 denies the agent a" out || fail "$(cat out)"
status=0
m1 revoke agent nobody 2>err || status=$?
[ $status = 2 ] && grep -q "no agent nobody has joined" err || fail "$status $(cat err)"
m1 hosts | grep -q "^agent *a .*denied" || fail "$(m1 hosts)"
m1 token agent a >/dev/null 2>&1 || fail "the name of a revoked one is not free"

# Without an operator's certificate nobody is served.
status=0
"$FDUMP" hosts --config m1/etc --state m1/var --identity b/var/agent 2>err || status=$?
[ $status = 6 ] && grep -q "not for the role agent (asked as the identity in b/var/agent)" err ||
	fail "an agent as operator: $status $(cat err)"

# A token that is expired or about to expire.
is_old() { [ $(($(date +%s) - $(stat -c %Y late.token))) -ge 2 ]; }
await 5 is_old
status=0
at late join - <late.token 2>err || status=$?
[ $status = 6 ] && grep -q "expired" err || fail "expired: $status $(cat err)"

kill $pid
wait $pid || fail "the manager's status: $?"
