# The first process of a guest kernel. Beside it is the script `job`, which `lab/emulation/guest.py` writes: it defines
# `lend`, which mounts what the guest may change of the host's files, `job`, the command, and some variables.
#
# Consoles: 0 takes messages of the kernel and of this script, 1 and 2 what the job writes, 4 has what it reads; with
# $terminal, 1 is its terminal. 3 is for the host: a line now and then, and `status N` when the job has ended.
#
# With $patience, seconds that the job has, time is virtual. Then nothing may come from the host at a moment of its own,
# or wait for it: the job reads nothing, and everything else is in files of /run/host, the folder of the guest.

. "${0%/*}/job"
mount -t proc proc /proc
[ ! "$modules" ] || insmod "$modules/$(uname -r)/kernel/fs/overlayfs/overlay.ko" # else all is built in

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
if [ "$modules" ]; then
    mkdir -p /lib/modules
    mount --bind "$modules" /lib/modules # the kernel loads from here what it is asked for
    modprobe -a ipv6 tun                 # nothing asks for these before it uses what they bring
fi
ip link set lo up
lend

if [ "$patience" ]; then
    mkdir /run/host
    mount -t hostfs -o "${script%/*}" none /run/host
    {
        while [ "$patience" -gt 0 ]; do sleep 60 && echo alive && patience=$((patience - 60)); done
        echo late
    } >>/run/host/said &
    (job) </dev/null >/run/host/out 2>&1
    echo "status $?" >>/run/host/said
else
    for console in 1 2 3; do stty -F /dev/tty$console -opost -echo; done
    stty -F /dev/tty4 -echo -isig -icrnl -ixon -iexten
    while sleep 5; do echo alive; done >/dev/tty3 &

    if [ "$terminal" ]; then
        stty -F /dev/tty1 sane
        setsid --ctty --wait /bin/sh -c '. "$0" && job' "$script" <>/dev/tty1 >&0 2>&0
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
fi
while sleep 1000; do :; done # the host ends us
