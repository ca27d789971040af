include $(BR2_EXTERNAL_JUMPGATE_PATH)/package/jumpgate-programs/jumpgate-programs.mk

# Neither kernel nor BusyBox is built while a line of its fragment is not what came out.
JUMPGATE_CHECK = $(BR2_EXTERNAL_JUMPGATE_PATH)/config-check
JUMPGATE_COMMON = $(BR2_EXTERNAL_JUMPGATE_PATH)/../board/common
define JUMPGATE_CHECK_LINUX
	$(JUMPGATE_CHECK) $(JUMPGATE_COMMON)/linux.fragment $(@D)/.config
endef
LINUX_POST_CONFIGURE_HOOKS += JUMPGATE_CHECK_LINUX
define JUMPGATE_CHECK_BUSYBOX
	$(JUMPGATE_CHECK) $(JUMPGATE_COMMON)/busybox.fragment $(@D)/.config
endef
BUSYBOX_POST_CONFIGURE_HOOKS += JUMPGATE_CHECK_BUSYBOX

# The kernel says when it was built. Ours says when its Buildroot was released, so that it stays
# the same from commit to commit as long as nothing of it changes.
LINUX_MAKE_ENV += \
	KBUILD_BUILD_USER=jumpgate \
	KBUILD_BUILD_HOST=jumpgate \
	KBUILD_BUILD_TIMESTAMP="$(shell LC_ALL=C TZ=UTC date --date=@$(BR2_VERSION_EPOCH))"
