/* Lists of texts in a configuration.  Inside conf/ only.  Thread: any. */
#ifndef CONF_VALUE_LIST_H
#define CONF_VALUE_LIST_H

/* `field`: a struct conf_strings, anywhere in a struct. The text is copied. */
void value_list_add(void *field, const char *text);
void value_list_clear(void *field);
void value_list_copy(void *to, const void *from);

#endif
