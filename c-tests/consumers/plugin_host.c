/* Loads plugins, and links no libmasstree itself. usage: plugin_host PLUGIN… */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        void *plugin = dlopen(argv[i], RTLD_NOW | RTLD_GLOBAL);
        int (*count)(void) = NULL;
        if (plugin == NULL) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        *(void **)&count = dlsym(plugin, "plugin_count");
        if (count == NULL || count() != 100) {
            return 1;
        }
    }
    return dlsym(RTLD_DEFAULT, "masstree_create") == NULL ? 0 : 2;
}
