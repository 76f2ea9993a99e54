"""Pictures."""

from wavegan_rc.extras import prepare_matplotlib

prepare_matplotlib()
