# Goal: a second implementation, written from the documents, restores from a store's volumes and a
# key alone: without the index and without FDump.
. "$(dirname "$0")/lib.sh"
needs python3
workspace
reader() { python3 "$SRC/test/storereader.py" "$@"; }
mkdir tree
cp -a "$SRC/cmd" "$SRC/lib" tree
head -c 3000000 /dev/urandom >tree/large
truncate -s 2M tree/hole
echo end >>tree/hole
ln tree/large tree/linked
ln -s large tree/link
"$FDUMP" key new --no-passphrase key >/dev/null
tail -n 1 key | base64 -d | tail -c +33 | head -c 32 | od -An -v -tx1 | tr -d ' \n' >hex
for to in "--to key.pub" --unencrypted; do
	"$FDUMP" store init store
	for i in 1 2; do
		echo $i >tree/changed
		"$FDUMP" backup -s ./store $to --state state -C tree . >/dev/null
	done
	rm -r store/index
	dump=$(reader list store | tail -n 1 | cut -c1-12)
	reader restore store "$dump" out hex
	diff -r tree out
	[ "$(stat -c %i out/large)" = "$(stat -c %i out/linked)" ]
	if [ "$to" != --unencrypted ]; then # without the key nothing is restored
		status=0
		reader restore store "$dump" out2 2>/dev/null || status=$?
		[ $status = 6 ]
	fi
	rm -r store out
done
