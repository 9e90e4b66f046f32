# The first process of the guest kernel: `/bin/sh guest_init.sh JOB`. JOB is a shell script that `lab/emulation/guest.py`
# writes: it defines `lend`, which mounts what the guest may change of the host's files, and `job`, the command.
#
# Consoles: 0 takes messages of the kernel and of this script, 1 and 2 what the job writes, 4 has what it reads; with
# MIP6LAB_TERMINAL, 1 is its terminal. 3 is for the host: a line now and then, and `status N` when the job has ended.

mount -t proc proc /proc
modules=/usr/lib/uml/modules
insmod "$modules/$(uname -r)/kernel/fs/overlayfs/overlay.ko"

# The host's files are seen everywhere, and changes to them stay here: they go to memory.
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
cd /mnt/root && mkdir .host && pivot_root . .host && cd / && umount -l .host && rmdir .host

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o ptmxmode=666 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mkdir -p /lib/modules
mount --bind "$modules" /lib/modules # the kernel loads from here what it is asked for
modprobe -a ipv6 tun                 # nothing asks for these before it uses what they bring
ip link set lo up

. "$1"
lend

for console in 1 2 3; do stty -F /dev/tty$console -opost -echo; done
stty -F /dev/tty4 -echo -isig -icrnl -ixon -iexten
while sleep 5; do echo alive; done >/dev/tty3 &

if [ "$MIP6LAB_TERMINAL" ]; then
    stty -F /dev/tty1 sane
    setsid --ctty --wait /bin/sh -c '. "$0" && job' "$1" <>/dev/tty1 >&0 2>&0
    status=$?
else
    mkfifo /run/in /run/out /run/err # programs should not see terminals where there are none
    cat /dev/tty4 >/run/in &
    cat /run/out >/dev/tty1 &
    cats=$!
    cat /run/err >/dev/tty2 &
    cats="$cats $!"
    (job) </run/in >/run/out 2>/run/err
    status=$?
    wait $cats
fi
sync
echo "status $status" >/dev/tty3
while sleep 1000; do :; done # the host ends us
