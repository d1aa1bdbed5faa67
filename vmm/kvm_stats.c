/* SPDX-License-Identifier: MIT
 *
 * A vCPU's counter of exits, from KVM's binary statistics (Linux 5.14, Documentation/virt/kvm/
 * api.rst, KVM_GET_STATS_FD): a header, descriptors with names, and the values.
 */
#ifdef __x86_64__
#include <vmm/kvm.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool read_at(int fd, void *to, size_t len, uint64_t offset)
{
	return pread(fd, to, len, (off_t)offset) == (ssize_t)len;
}

/* Where the value called name is in the fd, 0 if it is not there. */
static uint64_t find(int fd, const struct kvm_stats_header *header, const char *name)
{
	size_t size = sizeof(struct kvm_stats_desc) + header->name_size;
	struct kvm_stats_desc *desc = malloc(size + 1);
	uint64_t offset = 0;

	for (uint32_t i = 0; desc && i < header->num_desc && !offset; i++) {
		if (!read_at(fd, desc, size, header->desc_offset + i * size))
			break;
		((char *)desc)[size] = '\0';
		if (strcmp(desc->name, name) == 0)
			offset = header->data_offset + desc->offset;
	}
	free(desc);
	return offset;
}

void kvm_stats_open(struct kvm_vcpu *vcpu)
{
	struct kvm_stats_header header;

	vcpu->stats_fd = ioctl(vcpu->fd, KVM_GET_STATS_FD, 0);
	if (vcpu->stats_fd >= 0 && read_at(vcpu->stats_fd, &header, sizeof(header), 0))
		vcpu->exits_offset = find(vcpu->stats_fd, &header, "exits");
}

void kvm_stats_close(struct kvm_vcpu *vcpu)
{
	if (vcpu->stats_fd >= 0)
		close(vcpu->stats_fd);
}

int kvm_stats_exits(struct vcpu *base, uint64_t *exits)
{
	struct kvm_vcpu *vcpu = (struct kvm_vcpu *)base;

	if (!vcpu->exits_offset)
		return vm_error(EOPNOTSUPP, "this KVM has no statistics of a vCPU's exits "
					    "(KVM_CAP_BINARY_STATS_FD, Linux 5.14)");
	if (!read_at(vcpu->stats_fd, exits, sizeof(*exits), vcpu->exits_offset))
		return kvm_error("read of KVM's statistics");
	return 0;
}
#endif
