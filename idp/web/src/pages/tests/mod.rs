mod locales;
