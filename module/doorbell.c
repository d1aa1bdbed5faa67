// SPDX-License-Identifier: GPL-2.0
/*
 * A doorbell: a character device that is rung by an ioctl, or by an eventfd that is bound to it,
 * and counts. The eventfd is taken as KVM's irqfd takes one: a function on its wait queue is called
 * by whoever signals, with the queue's lock held, so a ring is counted when the signal has
 * returned.
 *
 * The wait entry lives as long as its file, the file holds the module, and what takes the entry off
 * takes the queue's lock: no signal is in here when the memory, or the module, goes.
 */
#include <linux/atomic.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "doorbell.h"

struct doorbell {
	atomic64_t rings;
	struct mutex lock;           /* bind and unbind */
	struct eventfd_ctx *eventfd; /* NULL: none is bound */
	wait_queue_head_t *queue;    /* the eventfd's */
	wait_queue_entry_t entry;
	poll_table table;
};

/* Release: pairs with doorbell_read(), whoever sees the ring sees what it came after. */
static void count(struct doorbell *doorbell, u64 rings)
{
	atomic64_fetch_add_release((s64)rings, &doorbell->rings);
}

/* With the queue's lock held. A semaphore gives one at a time. */
static void take_all(struct doorbell *doorbell)
{
	u64 rings;

	do {
		eventfd_ctx_do_read(doorbell->eventfd, &rings);
		count(doorbell, rings);
	} while (rings);
}

/* That the last fd of the eventfd was closed (EPOLLHUP) is nothing to us: KVM may signal it still.
 */
static int on_signal(wait_queue_entry_t *entry, unsigned int mode, int sync, void *key)
{
	if (key_to_poll(key) & EPOLLIN)
		take_all(container_of(entry, struct doorbell, entry));
	return 0;
}

static void queue_entry(struct file *file, wait_queue_head_t *queue, poll_table *table)
{
	struct doorbell *doorbell = container_of(table, struct doorbell, table);

	doorbell->queue = queue;
	add_wait_queue(queue, &doorbell->entry);
}

/* What was pending before the entry was queued has woken nobody. */
static void take_pending(struct doorbell *doorbell)
{
	unsigned long flags;

	spin_lock_irqsave(&doorbell->queue->lock, flags);
	take_all(doorbell);
	spin_unlock_irqrestore(&doorbell->queue->lock, flags);
}

static long bind(struct doorbell *doorbell, struct file *file)
{
	struct eventfd_ctx *eventfd = eventfd_ctx_fileget(file);

	if (IS_ERR(eventfd))
		return PTR_ERR(eventfd);
	doorbell->eventfd = eventfd;
	init_waitqueue_func_entry(&doorbell->entry, on_signal);
	init_poll_funcptr(&doorbell->table, queue_entry);
	vfs_poll(file, &doorbell->table);
	take_pending(doorbell);
	return 0;
}

static long doorbell_bind(struct doorbell *doorbell, unsigned int fd)
{
	struct file *file = fget(fd);
	long err = -EBUSY;

	if (!file)
		return -EBADF;
	mutex_lock(&doorbell->lock);
	if (!doorbell->eventfd)
		err = bind(doorbell, file);
	mutex_unlock(&doorbell->lock);
	fput(file);
	return err;
}

static long doorbell_unbind(struct doorbell *doorbell)
{
	long err = -ENOENT;
	u64 rings;

	mutex_lock(&doorbell->lock);
	if (doorbell->eventfd) {
		eventfd_ctx_remove_wait_queue(doorbell->eventfd, &doorbell->entry, &rings);
		count(doorbell, rings);
		eventfd_ctx_put(doorbell->eventfd);
		doorbell->eventfd = NULL;
		err = 0;
	}
	mutex_unlock(&doorbell->lock);
	return err;
}

static int doorbell_open(struct inode *inode, struct file *file)
{
	struct doorbell *doorbell = kzalloc(sizeof(*doorbell), GFP_KERNEL_ACCOUNT);

	if (!doorbell)
		return -ENOMEM;
	mutex_init(&doorbell->lock);
	file->private_data = doorbell;
	return stream_open(inode, file);
}

static int doorbell_release(struct inode *inode, struct file *file)
{
	doorbell_unbind(file->private_data);
	kfree(file->private_data);
	return 0;
}

static ssize_t doorbell_read(struct file *file, char __user *to, size_t len, loff_t *offset)
{
	struct doorbell *doorbell = file->private_data;
	u64 rings = (u64)atomic64_read_acquire(&doorbell->rings);

	if (len < sizeof(rings))
		return -EINVAL;
	return copy_to_user(to, &rings, sizeof(rings)) ? -EFAULT : sizeof(rings);
}

static long doorbell_ioctl(struct file *file, unsigned int request, unsigned long arg)
{
	struct doorbell *doorbell = file->private_data;

	switch (request) {
	case DOORBELL_RING:
		count(doorbell, 1);
		return 0;
	case DOORBELL_BIND:
		return doorbell_bind(doorbell, (unsigned int)arg);
	case DOORBELL_UNBIND:
		return doorbell_unbind(doorbell);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations doorbell_fops = {
	.owner = THIS_MODULE,
	.open = doorbell_open,
	.release = doorbell_release,
	.read = doorbell_read,
	.unlocked_ioctl = doorbell_ioctl,
	.compat_ioctl = doorbell_ioctl,
};

static struct miscdevice doorbell_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "doorbell",
	.fops = &doorbell_fops,
	.mode = 0600,
};

module_misc_device(doorbell_device);

MODULE_DESCRIPTION("A doorbell that is rung by an ioctl or an eventfd, and counts");
MODULE_LICENSE("GPL");
