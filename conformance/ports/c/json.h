/* A small reader of JSON: one line in, a tree of values out. */
#ifndef GC_PORT_JSON_H
#define GC_PORT_JSON_H

#include <stddef.h>

typedef enum { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } json_type;

typedef struct json {
    json_type type;
    const char *name;   /* of a member of an object */
    const char *string; /* a string's text; a number's too, as it was written */
    size_t count;       /* of an array's or an object's children */
    struct json *child; /* the first of them */
    struct json *next;  /* the next child of the same parent */
} json;

/* Read `text`, which is written to and must outlive the tree; NULL if it is not JSON. */
json *json_read(char *text);
void json_free(json *value);

/* The member of an object, or NULL. */
const json *json_member(const json *object, const char *name);

#endif
